// A canvas whose colours are the page's, drawn again when its size or the look changes; its points can be picked.

const NEAR = 14;

export class Picture {
  constructor(parent, title, label) {
    this.figure = document.createElement("figure");
    this.figure.className = "picture";
    this.caption = document.createElement("figcaption");
    this.caption.append(title);
    this.canvas = document.createElement("canvas");
    this.canvas.role = "img";
    this.canvas.setAttribute("aria-label", label);
    this.told = document.createElement("p");
    this.told.className = "readout mono";
    this.figure.append(this.caption, this.canvas, this.told);
    parent.append(this.figure);
    this.chosen = -1;
    this.frame = 0;
    this.again = () => { this.frame ||= requestAnimationFrame(() => this.redraw()); };
    this.watch = new ResizeObserver(this.again);
    this.watch.observe(this.canvas);
    addEventListener("look", this.again);
    this.canvas.addEventListener("click", (event) => {
      const row = this.near(event.offsetX, event.offsetY);
      if (row >= 0 && !this.moved) this.picked(row);
    });
    this.canvas.addEventListener("pointermove", (event) => {
      const row = this.near(event.offsetX, event.offsetY);
      this.canvas.style.cursor = row < 0 ? "default" : "pointer";
      this.told.textContent = row < 0 ? "" : this.words(row);
    });
  }

  close() {
    this.watch.disconnect();
    removeEventListener("look", this.again);
    cancelAnimationFrame(this.frame);
  }

  choose(row) {
    this.chosen = row;
    this.told.textContent = this.words(row);
    this.again();
  }

  // Places of points in pixels, as drawn last: `xs`, `ys`; NaN where a point is out of sight.
  near(x, y) {
    if (!this.xs) return -1;
    let best = NEAR * NEAR;
    let found = -1;
    for (let i = 0; i < this.xs.length; i += 1) {
      const away = (this.xs[i] - x) ** 2 + (this.ys[i] - y) ** 2;
      if (away < best) { best = away; found = i; }
    }
    return found;
  }

  redraw() {
    this.frame = 0;
    const { canvas } = this;
    const [wide, high] = [canvas.clientWidth, canvas.clientHeight];
    if (!wide || !high) return;
    const scale = devicePixelRatio || 1;
    canvas.width = Math.round(wide * scale);
    canvas.height = Math.round(high * scale);
    const pen = canvas.getContext("2d");
    pen.scale(scale, scale);
    const style = getComputedStyle(canvas);
    const colour = (name) => style.getPropertyValue(`--${name}`).trim();
    pen.font = `12px ${style.fontFamily}`;
    this.draw(pen, wide, high, colour);
    this.points(pen, colour);
  }

  points(pen, colour) {
    const size = this.xs.length > 5000 ? 2 : this.xs.length > 500 ? 3 : 5;
    pen.fillStyle = colour("plot-line");
    pen.globalAlpha = this.xs.length > 5000 ? 0.5 : 0.85;
    for (let i = 0; i < this.xs.length; i += 1) {
      if (Number.isFinite(this.xs[i])) pen.fillRect(this.xs[i] - size / 2, this.ys[i] - size / 2, size, size);
    }
    pen.globalAlpha = 1;
    const [x, y] = [this.xs[this.chosen], this.ys[this.chosen]];
    if (!Number.isFinite(x)) return;
    pen.strokeStyle = colour("focus");
    pen.lineWidth = 2;
    pen.beginPath();
    pen.arc(x, y, 7, 0, 2 * Math.PI);
    pen.stroke();
  }
}
