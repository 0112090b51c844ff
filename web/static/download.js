// Waits for a download that is being prepared, and shows how far it is.

const box = document.getElementById("progress");
const bar = box.querySelector("progress");
const words = box.querySelector("[data-f=words]");
const PAUSE = 1500;
const LONGEST_PAUSE = 15_000;
const DEADLINE = 30_000;

class RefusedError extends Error {}

const after = (pause) => new Promise((resolve) => setTimeout(resolve, pause));
const asked = (address, method = "GET") => fetch(address, { method, cache: "no-store", signal: AbortSignal.timeout(DEADLINE) });

async function isReady() {
  // A PDF has no list of files: its own address tells when it is there, or why it never will be.
  if (!box.dataset.ask) return (await asked(box.dataset.go, "HEAD")).status !== 503;
  const answer = await asked(box.dataset.ask);
  if (answer.status === 503) return false;
  const plan = await answer.json();
  if (!answer.ok) throw new RefusedError(plan.detail);
  if (bar && plan.to_prepare) {
    bar.max = plan.to_prepare;
    bar.value = plan.prepared;
  }
  words.textContent = `${plan.prepared} of ${plan.to_prepare} files are prepared: PDFs are drawn and sums taken.`;
  return plan.ready;
}

async function wait() {
  let pause = PAUSE;
  for (;;) {
    await after(pause);
    try {
      if (await isReady()) break;
      pause = PAUSE;
    } catch (error) {
      if (error instanceof RefusedError) {
        words.textContent = error.message;
        return;
      }
      // It is being prepared all the same.
      words.textContent = "The server does not answer; trying again.";
      pause = Math.min(2 * pause, LONGEST_PAUSE);
    }
  }
  if (box.dataset.go) {
    words.textContent = "Ready: the download has begun.";
    bar?.remove();
    location.replace(box.dataset.go);
  } else {
    await show().catch(() => location.reload());
  }
}

// The page as it is now, in place: nobody loses their place by a reload.
async function show() {
  const text = await (await asked(location.href)).text();
  const main = new DOMParser().parseFromString(text, "text/html").querySelector("main");
  document.querySelector("main").replaceChildren(...main.childNodes);
}

wait();
