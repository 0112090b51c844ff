// The rows of a result: only those in sight are in the page, so that a hundred thousand scroll like ten.
import { beside, isNumber, kindOf, order, webAddress, written } from "./columns.js";
import { make } from "./elements.js";

const MARGIN = 12;
const SAMPLE = 200;
const LONGEST = 44;
const SHOWN = 400;


export class Grid {
  // `whenChosen` is told the number of a row, as it came.
  constructor(box, columns, rows, whenChosen) {
    Object.assign(this, { box, columns, rows, whenChosen, chosen: -1, sorted: null, frame: 0 });
    this.kinds = columns.map(kindOf);
    this.numbers = columns.map(isNumber);
    this.order = rows.map((_row, i) => i);
    this.build();
    this.height = 28;
    this.draw();
    this.height = this.body.querySelector("tr.one")?.getBoundingClientRect().height || this.height;
    this.draw();
    box.addEventListener("scroll", () => { this.frame ||= requestAnimationFrame(() => this.draw()); }, { passive: true });
    this.watch = new ResizeObserver(() => this.draw());
    this.watch.observe(box);
    this.table.addEventListener("keydown", (event) => this.key(event));
    this.body.addEventListener("click", (event) => {
      const row = event.target.closest("tr.one");
      if (row && !event.target.closest("a")) this.choose(Number(row.dataset.at));
    });
  }

  close() {
    this.watch.disconnect();
  }

  build() {
    const heads = this.columns.map((column, index) => {
      const button = make("button", { type: "button", title: [column.description, column.ucd].filter(Boolean).join("\n") }, column.name);
      if (column.unit) button.append(" ", make("span", { class: "unit" }, column.unit));
      button.addEventListener("click", () => this.sort(index));
      return make("th", { scope: "col", ...(this.numbers[index] ? { class: "num" } : {}) }, button);
    });
    this.heads = heads;
    this.above = make("tr", { class: "gap", "aria-hidden": "true" }, make("td", { colspan: this.columns.length }));
    this.below = this.above.cloneNode(true);
    this.body = make("tbody", {}, this.above, this.below);
    const widths = make("colgroup", {}, ...this.columns.map((_column, index) => {
      const made = make("col");
      made.style.width = `${this.width(index)}ch`;
      return made;
    }));
    this.table = make("table", {
      class: "plain grid", role: "grid", tabindex: "0", "aria-label": "Rows", "aria-rowcount": this.rows.length + 1, "aria-colcount": this.columns.length,
    }, widths, make("thead", {}, make("tr", { "aria-rowindex": "1" }, ...heads)), this.body);
    this.table.style.width = `${this.columns.reduce((sum, _column, index) => sum + this.width(index), 0)}ch`;
    this.box.replaceChildren(this.table);
  }

  width(index) {
    const column = this.columns[index];
    const texts = this.rows.slice(0, SAMPLE).map((row) => written(row[index]).length + beside(this.kinds[index], row[index]).length * 0.9);
    const head = column.name.length + (column.unit ? column.unit.length + 1 : 0) + 2;
    return Math.min({ link: 26, moment: 64, day: 64 }[this.kinds[index]] ?? LONGEST, Math.max(6, head, ...texts)) * 1.06 + 3;
  }

  sort(index) {
    const down = this.sorted?.index === index && !this.sorted.down;
    const whole = this.sorted?.index === index && this.sorted.down;
    this.sorted = whole ? null : { index, down };
    this.order = whole ? this.rows.map((_row, i) => i) : order(this.rows, index, down);
    for (const head of this.heads) head.removeAttribute("aria-sort");
    if (this.sorted) this.heads[index].setAttribute("aria-sort", down ? "descending" : "ascending");
    this.places = null;
    this.draw();
  }

  // The row at a place of the table as it is sorted.
  choose(at, told = true) {
    this.chosen = this.order[at];
    this.draw();
    this.table.setAttribute("aria-activedescendant", `row-${this.chosen}`);
    if (told) this.whenChosen(this.chosen);
  }

  // The row of a number, brought into sight.
  show(row) {
    const at = this.placeOf(row);
    this.reveal(at);
    this.choose(at, false);
  }

  placeOf(row) {
    if (!this.places) {
      this.places = new Uint32Array(this.order.length);
      this.order.forEach((one, at) => { this.places[one] = at; });
    }
    return this.places[row];
  }

  reveal(at) {
    const top = at * this.height;
    const room = this.box.clientHeight - this.table.tHead.offsetHeight - this.height;
    if (top < this.box.scrollTop) this.box.scrollTop = top;
    else if (top > this.box.scrollTop + room) this.box.scrollTop = top - room;
  }

  key(event) {
    if (event.target !== this.table || event.ctrlKey || event.metaKey || event.altKey || !this.rows.length) return;
    const now = this.chosen < 0 ? -1 : this.placeOf(this.chosen);
    const page = Math.max(1, Math.floor(this.box.clientHeight / this.height) - 2);
    const steps = { ArrowDown: now + 1, ArrowUp: now - 1, PageDown: now + page, PageUp: now - page, Home: 0, End: this.rows.length - 1 };
    if (event.key in steps) {
      const at = Math.max(0, Math.min(this.rows.length - 1, steps[event.key]));
      this.reveal(at);
      this.choose(at);
    } else if (event.key === "Enter" && this.chosen >= 0) {
      this.body.querySelector(`#row-${this.chosen} a`)?.click();
    } else return;
    event.preventDefault();
  }

  draw() {
    this.frame = 0;
    const count = this.order.length;
    const from = Math.max(0, Math.floor(this.box.scrollTop / this.height) - MARGIN);
    const to = Math.min(count, Math.ceil((this.box.scrollTop + (this.box.clientHeight || 600)) / this.height) + MARGIN);
    this.above.firstChild.style.height = `${from * this.height}px`;
    this.below.firstChild.style.height = `${(count - to) * this.height}px`;
    const made = [];
    for (let at = from; at < to; at += 1) made.push(this.line(at));
    this.body.replaceChildren(this.above, ...made, this.below);
  }

  line(at) {
    const number = this.order[at];
    const row = make("tr", { class: "one", id: `row-${number}`, "data-at": at, "aria-rowindex": at + 2, "aria-selected": String(number === this.chosen) });
    row.append(...this.rows[number].map((value, index) => this.cell(value, index)));
    return row;
  }

  cell(value, index) {
    const text = written(value);
    const cell = make("td", this.numbers[index] ? { class: "num" } : {});
    if (this.kinds[index] === "link" && webAddress(value)) {
      const link = make("a", { href: value, rel: "noopener noreferrer", tabindex: "-1", title: value }, text.slice(text.lastIndexOf("/", text.length - 2) + 1) || text);
      cell.append(link);
      return cell;
    }
    cell.textContent = text.slice(0, SHOWN);
    if (text.length > LONGEST) cell.title = text.slice(0, 2000);
    const more = beside(this.kinds[index], value);
    if (more) cell.append(" ", make("span", { class: "local muted" }, more));
    return cell;
  }
}
