// Positions of a result on the sky: all of it (Mollweide), or the field that they lie in.
import { Picture } from "./picture.js";
import { around, middle, mollweide, ticks } from "./projection.js";

const RADIAN = Math.PI / 180;
const WIDE = 25 * RADIAN; // beyond it a field is better seen on the whole sky
const SMALLEST = 2 / 3600 * RADIAN;

const degrees = (angle, digits) => (angle / RADIAN).toFixed(digits);

export class Sky extends Picture {
  constructor(parent, table, place, picked) {
    const count = table.rows.length.toLocaleString("en-AU");
    super(parent, "Sky", `Positions of ${count} rows on the sky; the table has the same rows`);
    this.picked = picked;
    const read = (row, axis) => Number(place.point === undefined ? row[place[axis]] ?? NaN : row[place.point]?.[axis === "ra" ? 0 : 1] ?? NaN) * RADIAN;
    this.ras = Float64Array.from(table.rows, (row) => read(row, "ra"));
    this.decs = Float64Array.from(table.rows, (row) => read(row, "dec"));
    this.home = middle(this.ras, this.decs);
    this.field = this.home !== null && this.home.radius < WIDE;
    this.look = this.home && { ...this.home, radius: Math.max(this.home.radius * 1.12, SMALLEST) };
    this.buttons();
    this.drag();
  }

  buttons() {
    const button = (text, work) => {
      const made = document.createElement("button");
      made.type = "button";
      made.textContent = text;
      made.addEventListener("click", () => { work(); this.again(); });
      return made;
    };
    if (!this.home) return;
    this.whole = button("Whole sky", () => { this.field = false; this.pressed(); });
    this.near_ = button("Field", () => {
      this.field = true;
      this.look = { ...this.home, radius: Math.max(this.home.radius * 1.12, SMALLEST) };
      this.pressed();
    });
    const zoom = (factor) => () => { this.field = true; this.look.radius = Math.max(SMALLEST, Math.min(Math.PI / 2, this.look.radius * factor)); this.pressed(); };
    const [nearer, farther] = [button("+", zoom(0.6)), button("−", zoom(1 / 0.6))];
    nearer.setAttribute("aria-label", "Nearer");
    farther.setAttribute("aria-label", "Farther");
    const bar = document.createElement("span");
    bar.className = "bar-of";
    bar.append(this.whole, this.near_, nearer, farther);
    this.caption.append(bar);
    this.pressed();
  }

  pressed() {
    this.whole.setAttribute("aria-pressed", String(!this.field));
    this.near_.setAttribute("aria-pressed", String(this.field));
  }

  // A field is moved by dragging; a click that moved is no click.
  drag() {
    let from = null;
    this.canvas.addEventListener("pointerdown", (event) => { from = this.field ? { x: event.offsetX, y: event.offsetY, ...this.look } : null; this.moved = false; });
    this.canvas.addEventListener("pointermove", (event) => {
      if (!from || !(event.buttons & 1)) return;
      const [dx, dy] = [event.offsetX - from.x, event.offsetY - from.y];
      if (Math.hypot(dx, dy) > 4) this.moved = true;
      const dec = Math.max(-Math.PI / 2, Math.min(Math.PI / 2, from.dec + dy / this.scale));
      this.look = { ...this.look, dec, ra: from.ra + dx / this.scale / Math.max(0.05, Math.cos(dec)) };
      this.again();
    });
    addEventListener("pointerup", () => { from = null; }, { passive: true });
  }

  words(row) {
    const [ra, dec] = [this.ras[row], this.decs[row]];
    return Number.isFinite(ra) && Number.isFinite(dec) ? `RA ${degrees(ra, 5)}° Dec ${degrees(dec, 5)}° · row ${row + 1}` : `row ${row + 1} has no position`;
  }

  draw(pen, wide, high, colour) {
    const place = this.field ? this.ofField(wide, high) : this.ofSky(wide, high);
    this.net(pen, wide, high, colour, place);
    this.xs = new Float64Array(this.ras.length);
    this.ys = new Float64Array(this.ras.length);
    for (let i = 0; i < this.ras.length; i += 1) [this.xs[i], this.ys[i]] = place(this.ras[i], this.decs[i]);
  }

  ofSky(wide, high) {
    this.scale = Math.min(wide / 4.1, high / 2.1);
    return (ra, dec) => {
      const [x, y] = mollweide(ra, dec);
      return [wide / 2 + x * this.scale, high / 2 - y * this.scale];
    };
  }

  ofField(wide, high) {
    this.scale = Math.min(wide, high) / 2.1 / this.look.radius;
    const { ra: ra0, dec: dec0 } = this.look;
    return (ra, dec) => {
      const [x, y] = around(ra, dec, ra0, dec0);
      return Math.hypot(x, y) > Math.PI * 0.75 ? [NaN, NaN] : [wide / 2 + x * this.scale, high / 2 - y * this.scale];
    };
  }

  // Meridians and parallels, with what they are.
  net(pen, wide, high, colour, place) {
    pen.strokeStyle = colour("line");
    pen.fillStyle = colour("muted");
    pen.lineWidth = 1;
    const line = (at) => {
      pen.beginPath();
      let before = null;
      for (let i = 0; i <= 90; i += 1) {
        const [x, y] = place(...at(i / 90));
        // Where the paper ends a line goes on at its other side.
        if (!Number.isFinite(x) || (before && Math.hypot(x - before[0], y - before[1]) > wide / 3)) before = null;
        if (Number.isFinite(x)) { if (before) pen.lineTo(x, y); else pen.moveTo(x, y); before = [x, y]; }
      }
      pen.stroke();
    };
    if (!this.field) return this.wholeNet(pen, line, place);
    const { ra, dec, radius } = this.look;
    const [low, top] = [Math.max(-Math.PI / 2, dec - radius * 1.6), Math.min(Math.PI / 2, dec + radius * 1.6)];
    const farthest = Math.max(Math.abs(low), Math.abs(top));
    const half = farthest > 80 * RADIAN ? Math.PI : Math.min(Math.PI, radius * 1.9 / Math.cos(farthest));
    const text = (words, x, y) => { if (x > 0 && x < wide && y > 0 && y < high) pen.fillText(words, x, y); };
    pen.textAlign = "left";
    for (const one of ticks(low / RADIAN, top / RADIAN, 6)) {
      line((part) => [ra - half + 2 * half * part, one * RADIAN]);
      const [, y] = place(ra, one * RADIAN);
      text(`${one}°`, 4, y - 3);
    }
    for (const one of ticks((ra - half) / RADIAN, (ra + half) / RADIAN, half > 3 ? 24 : 7)) {
      line((part) => [one * RADIAN, low + (top - low) * part]);
      const [x] = place(one * RADIAN, dec - radius * 0.9);
      text(`${Number((((one % 360) + 360) % 360).toFixed(8))}°`, x + 3, high - 5);
    }
    return undefined;
  }

  wholeNet(pen, line, place) {
    const edge = 1e-6;
    for (const dec of [-60, -30, 0, 30, 60]) line((part) => [edge + (2 * Math.PI - 2 * edge) * part, dec * RADIAN]);
    for (const ra of [edge, 60, 120, 180, 240, 300, 360 - edge]) line((part) => [ra * RADIAN, (part - 0.5) * Math.PI]);
    pen.textAlign = "center";
    for (const ra of [60, 120, 180, 240, 300]) {
      const [x, y] = place(ra * RADIAN, 0);
      pen.fillText(`${ra}°`, x, y + 13);
    }
    for (const dec of [-60, -30, 30, 60]) {
      const [x, y] = place(Math.PI, dec * RADIAN);
      pen.fillText(`${dec}°`, x + 14, y - 3);
    }
  }
}
