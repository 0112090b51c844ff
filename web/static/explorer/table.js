// The table of fibres: sorted, filtered, and the order in which arrow keys walk.
import { FIGURES, figureOf } from "./marks.js";

const TEXTS = new Set(["name", "type"]);

export class Table {
  // `on` has choose(fibre), hover(fibre or null), sort(text).
  constructor(box, fibres, on) {
    this.box = box;
    this.body = box.querySelector("tbody");
    this.fibres = new Map(fibres.map((fibre) => [fibre.fibre, fibre]));
    this.rows = new Map([...this.body.rows].map((row) => [Number(row.dataset.fibre), row]));
    this.texts = new Map(fibres.map((fibre) => [fibre.fibre, `${fibre.fibre} ${fibre.name} ${fibre.comment} ${this.rows.get(fibre.fibre).cells[2].textContent}`.toLowerCase()]));
    this.order = fibres.map((fibre) => fibre.fibre);
    this.shown = new Set(this.order);
    box.addEventListener("click", (event) => {
      const head = event.target.closest("[data-sort]");
      if (head) {
        const now = head.closest("th").getAttribute("aria-sort");
        on.sort(head.dataset.sort + (now === "ascending" ? "-" : ""));
        return;
      }
      const row = event.target.closest("tr[data-fibre]");
      if (!row || event.ctrlKey || event.metaKey) return;
      event.preventDefault();
      on.choose(this.fibres.get(Number(row.dataset.fibre)));
    });
    this.body.addEventListener("pointerover", (event) => {
      const row = event.target.closest("tr[data-fibre]");
      on.hover(row ? this.fibres.get(Number(row.dataset.fibre)) : null);
    });
    this.body.addEventListener("pointerleave", () => on.hover(null));
  }

  fill() {
    for (const [number, fibre] of this.fibres) {
      for (const name of ["snr", "throughput", "residual"]) {
        const cell = this.rows.get(number).querySelector(`[data-f="${name}"]`);
        const value = figureOf(fibre, name);
        const text = value === null ? "" : value.toFixed(FIGURES[name].digits);
        if (cell.textContent !== text) cell.textContent = text;
      }
    }
  }

  valueOf(fibre, key) {
    if (key in FIGURES) return figureOf(fibre, key);
    return key === "type" ? this.rows.get(fibre.fibre).cells[2].textContent : fibre[key];
  }

  // What has no value stands last, whichever way the rest is sorted.
  sort(text) {
    const down = text.endsWith("-");
    const key = text.replace("-", "");
    const sign = down ? -1 : 1;
    const keyed = [...this.fibres.values()].map((fibre) => [fibre.fibre, this.valueOf(fibre, key)]);
    const empty = (value) => value === null || value === undefined || value === "";
    keyed.sort(([a, x], [b, y]) => {
      if (empty(x) || empty(y)) return empty(x) - empty(y) || a - b;
      const difference = TEXTS.has(key) ? String(x).localeCompare(String(y), "en", { numeric: true }) : x - y;
      return sign * difference || a - b;
    });
    this.order = keyed.map(([fibre]) => fibre);
    this.body.append(...this.order.map((fibre) => this.rows.get(fibre)));
    for (const head of this.box.querySelectorAll("[data-sort]")) {
      const cell = head.closest("th");
      if (head.dataset.sort === key) cell.setAttribute("aria-sort", down ? "descending" : "ascending");
      else cell.removeAttribute("aria-sort");
    }
  }

  // `types` is a string of type letters, or null for all.
  filter(find, types) {
    const wanted = find.trim().toLowerCase();
    this.shown.clear();
    for (const [number, fibre] of this.fibres) {
      const fits = this.texts.get(number).includes(wanted) && (types === null || types.includes(fibre.type || "-"));
      if (fits) this.shown.add(number);
      this.rows.get(number).hidden = !fits;
    }
  }

  visible() { return this.order.filter((fibre) => this.shown.has(fibre)); }

  // The row before or after one, among those that are shown.
  neighbour(from, step) {
    const all = this.visible();
    if (!all.length) return null;
    const place = all.indexOf(from);
    if (place < 0) return this.fibres.get(all[step > 0 ? 0 : all.length - 1]);
    const next = all[place + step];
    return next === undefined ? null : this.fibres.get(next);
  }

  select(fibre) {
    this.body.querySelector('tr[aria-current="true"]')?.removeAttribute("aria-current");
    const row = this.rows.get(fibre);
    if (!row) return;
    row.setAttribute("aria-current", "true");
    const top = row.offsetTop - this.box.scrollTop;
    if (top < 40 || top > this.box.clientHeight - 40) this.box.scrollTop = row.offsetTop - this.box.clientHeight / 2;
  }

  hover(fibre) {
    this.body.querySelector("tr.aim")?.classList.remove("aim");
    if (fibre) this.rows.get(fibre.fibre)?.classList.add("aim");
  }
}
