// Waits for a download that is being prepared, and shows how far it is.

const box = document.getElementById("progress");
const bar = box.querySelector("progress");
const words = box.querySelector("[data-f=words]");
const PAUSE = 1500;

const pause = () => new Promise((resolve) => setTimeout(resolve, PAUSE));

async function isReady() {
  // A PDF has no list of files: its own address tells when it is there.
  if (!box.dataset.ask) return (await fetch(box.dataset.go, { method: "HEAD" })).ok;
  const answer = await fetch(box.dataset.ask);
  if (answer.status === 503) return false;
  if (!answer.ok) throw new Error((await answer.json()).detail);
  const plan = await answer.json();
  if (bar && plan.to_prepare) {
    bar.max = plan.to_prepare;
    bar.value = plan.prepared;
  }
  words.textContent = `${plan.prepared} of ${plan.to_prepare} files are prepared: PDFs are drawn and sums taken.`;
  return plan.ready;
}

async function wait() {
  for (;;) {
    await pause();
    try {
      if (await isReady()) break;
    } catch (error) {
      words.textContent = error.message || "The server does not answer. Load this page again.";
      return;
    }
  }
  if (box.dataset.go) {
    words.textContent = "Ready: the download has begun.";
    bar?.remove();
    location.replace(box.dataset.go);
  } else {
    await show();
  }
}

// The page as it is now, in place: nobody loses their place by a reload.
async function show() {
  const text = await (await fetch(location.href)).text();
  const main = new DOMParser().parseFromString(text, "text/html").querySelector("main");
  document.querySelector("main").replaceChildren(...main.childNodes);
}

wait();
