// A request that is under way: the server writes the page, and what differs in it is exchanged. Nothing jumps.

const EVERY = 2000;
const SLOWEST = 30000;
let pause = EVERY;

function exchange(fresh) {
  for (const old of document.querySelectorAll("[data-live]")) {
    const next = fresh.getElementById(old.id);
    if (!next || next.outerHTML === old.outerHTML) continue;
    // Whoever reads in it or is about to press something there is not disturbed.
    if (old.contains(document.activeElement) && document.activeElement.matches("button, a, input")) continue;
    const scrolled = [...old.querySelectorAll(".scroll, .log")].map((box) => [box.scrollTop, box.scrollLeft]);
    old.replaceWith(next);
    [...next.querySelectorAll(".scroll, .log")].forEach((box, number) => {
      if (box.classList.contains("log")) box.scrollTop = box.scrollHeight;
      else if (scrolled[number]) [box.scrollTop, box.scrollLeft] = scrolled[number];
    });
  }
  if (document.title !== fresh.title) document.title = fresh.title;
}

async function look() {
  if (document.hidden) { setTimeout(look, pause); return; }
  try {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" }, cache: "no-store" });
    if (answer.status === 404 || answer.status === 401 || answer.redirected) { location.reload(); return; }
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    exchange(new DOMParser().parseFromString(await answer.text(), "text/html"));
    pause = EVERY;
    if (document.getElementById("state").dataset.open !== "yes") return;
  } catch {
    pause = Math.min(2 * pause, SLOWEST);
  }
  setTimeout(look, pause);
}

for (const box of document.querySelectorAll(".log")) box.scrollTop = box.scrollHeight;
setTimeout(look, EVERY);
document.addEventListener("visibilitychange", () => { pause = EVERY; });
