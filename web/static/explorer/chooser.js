// The tree of products: found by typing, walked by keys. On the page for choosing, and in the explorer's dialogue.

const WAIT = 180;

export class Chooser {
  // `address` makes the link of a product from its identifier, or null to keep the tree's own.
  constructor(input, box, address = null) {
    this.input = input;
    this.box = box;
    this.address = address;
    input.addEventListener("input", () => {
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.load(), WAIT);
    });
    input.addEventListener("keydown", (event) => {
      if (event.key === "Enter") {
        event.preventDefault();
        this.box.querySelector("a[data-product]")?.click();
      } else if (event.key === "ArrowDown") {
        event.preventDefault();
        this.stops()[0]?.focus();
      }
    });
    box.addEventListener("keydown", (event) => this.walk(event));
    this.link();
  }

  async load() {
    const query = new URLSearchParams(this.input.value.trim() ? { q: this.input.value.trim() } : {});
    const number = (this.asked = (this.asked ?? 0) + 1);
    try {
      const answer = await fetch(`/explorer/tree?${query}`, { signal: AbortSignal.timeout(15_000) });
      if (!answer.ok) throw new Error(`the server answered ${answer.status}`);
      const text = await answer.text();
      if (number !== this.asked) return; // something else was typed meanwhile
      // The server's own markup, in which everything is escaped.
      const parsed = new DOMParser().parseFromString(text, "text/html");
      this.box.replaceChildren(...parsed.body.childNodes);
      this.link();
    } catch (error) {
      if (number !== this.asked) return;
      const line = document.createElement("p");
      line.className = "problem";
      line.textContent = `The products could not be listed: ${error.message}. Type again to try again.`;
      this.box.replaceChildren(line);
    }
  }

  link() {
    if (!this.address) return;
    for (const one of this.box.querySelectorAll("a[data-product]")) one.href = this.address(one.dataset.product);
  }

  // What the keyboard stops at: branches and products that are not folded away.
  stops() {
    return [...this.box.querySelectorAll("summary, a[data-product]")].filter((one) => one.checkVisibility());
  }

  walk(event) {
    const here = document.activeElement;
    const stops = this.stops();
    const place = stops.indexOf(here);
    if (place < 0) return;
    const go = (to) => { event.preventDefault(); (to ?? this.input).focus(); };
    const branch = here.closest("details");
    if (event.key === "ArrowDown") go(stops[Math.min(stops.length - 1, place + 1)]);
    else if (event.key === "ArrowUp") go(stops[place - 1]);
    else if (event.key === "ArrowRight" && here.matches("summary")) {
      event.preventDefault();
      branch.open = true;
    } else if (event.key === "ArrowLeft") {
      event.preventDefault();
      if (here.matches("summary") && branch.open) branch.open = false;
      else (here.matches("summary") ? branch.parentElement.closest("details") : branch)?.querySelector("summary").focus();
    }
  }
}

const alone = document.getElementById("chooser-form");
if (alone) {
  const input = document.getElementById("chooser-find");
  new Chooser(input, document.getElementById("chooser-tree"));
  document.addEventListener("keydown", (event) => {
    if (event.key !== "/" || event.target.closest("input")) return;
    event.preventDefault();
    input.focus();
  });
}
