// Two columns of numbers against each other.
import { isNumber } from "./columns.js";
import { Picture } from "./picture.js";
import { ticks } from "./projection.js";

const [LEFT, RIGHT, TOP, BOTTOM] = [62, 12, 10, 36];

export class Scatter extends Picture {
  static fits({ columns }) {
    return columns.filter(isNumber).length > 1;
  }

  constructor(parent, table, picked) {
    super(parent, "", "Two columns of the result against each other; the table has the same rows");
    this.table = table;
    this.picked = picked;
    const numbers = table.columns.map((column, index) => ({ column, index })).filter(({ column }) => isNumber(column));
    this.selects = ["x", "y"].map((axis, at) => {
      const select = document.createElement("select");
      select.setAttribute("aria-label", axis === "x" ? "Column to the right" : "Column upwards");
      select.append(...numbers.map(({ column, index }) => new Option(column.name, index)));
      select.selectedIndex = at;
      select.addEventListener("change", () => { if (this.chosen >= 0) this.choose(this.chosen); else this.again(); });
      return select;
    });
    const [x, y] = this.selects;
    const bar = document.createElement("span");
    bar.className = "bar-of";
    bar.append(y, " against ", x);
    this.caption.append(bar);
  }

  get axes() {
    return this.selects.map((select) => Number(select.value));
  }

  words(row) {
    return [...this.axes.map((index) => `${this.table.columns[index].name} ${this.table.rows[row][index] ?? "–"}`), `row ${row + 1}`].join(" · ");
  }

  draw(pen, wide, high, colour) {
    const [x, y] = this.axes.map((index, axis) => this.axis(index, axis ? [high - BOTTOM, TOP] : [LEFT, wide - RIGHT]));
    pen.strokeStyle = colour("line");
    pen.fillStyle = colour("muted");
    pen.lineWidth = 1;
    pen.beginPath();
    pen.textAlign = "center";
    for (const one of ticks(x.low, x.high, Math.max(2, (wide - LEFT) / 90))) {
      pen.moveTo(x.place(one), TOP);
      pen.lineTo(x.place(one), high - BOTTOM);
      pen.fillText(String(one), x.place(one), high - BOTTOM + 14);
    }
    pen.textAlign = "right";
    for (const one of ticks(y.low, y.high, Math.max(2, high / 55))) {
      pen.moveTo(LEFT, y.place(one));
      pen.lineTo(wide - RIGHT, y.place(one));
      pen.fillText(String(one), LEFT - 5, y.place(one) + 4);
    }
    pen.stroke();
    pen.textAlign = "center";
    pen.fillStyle = colour("text");
    pen.fillText(x.name, (LEFT + wide - RIGHT) / 2, high - 5);
    pen.save();
    pen.translate(11, (TOP + high - BOTTOM) / 2);
    pen.rotate(-Math.PI / 2);
    pen.fillText(y.name, 0, 0);
    pen.restore();
    const { rows } = this.table;
    const [column, other] = this.axes;
    this.xs = Float64Array.from(rows, (row) => (row[column] === null ? NaN : x.place(Number(row[column]))));
    this.ys = Float64Array.from(rows, (row) => (row[other] === null ? NaN : y.place(Number(row[other]))));
  }

  axis(index, [from, to]) {
    const column = this.table.columns[index];
    let [low, high] = [Infinity, -Infinity];
    for (const row of this.table.rows) {
      if (row[index] === null) continue;
      const value = Number(row[index]);
      if (value < low) low = value;
      if (value > high) high = value;
    }
    if (low > high) [low, high] = [0, 1];
    const edge = (high - low) * 0.04 || Math.abs(low) * 0.05 || 1;
    low -= edge;
    high += edge;
    return { low, high, name: column.unit ? `${column.name} (${column.unit})` : column.name, place: (value) => from + ((value - low) / (high - low)) * (to - from) };
  }
}
