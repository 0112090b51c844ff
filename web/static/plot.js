// A line plot of one spectrum on a canvas: error band, sky below, zoom. No library: it draws 5,000 points in a
// few milliseconds, and the page stays under its strict content policy.

const MARGIN = { left: 62, right: 14, top: 10, bottom: 34 };
const SKY_SHARE = 0.24;

function niceStep(span, count) {
  const raw = span / Math.max(1, count);
  const power = 10 ** Math.floor(Math.log10(raw));
  return power * ([1, 2, 5, 10].find((factor) => factor * power >= raw) ?? 10);
}

export function ticks(low, high, count) {
  const step = niceStep(high - low, count);
  const found = [];
  for (let value = Math.ceil(low / step) * step; value <= high + step * 1e-9; value += step) {
    found.push(Math.abs(value) < step * 1e-6 ? 0 : value);
  }
  return { step, values: found };
}

function label(value, step) {
  const size = Math.max(Math.abs(value), step);
  if (size >= 1e6 || size < 1e-3) return value.toExponential(1);
  return value.toFixed(Math.max(0, -Math.floor(Math.log10(step) + 1e-9)));
}

export function smoothed(values, width) {
  if (width <= 1) return values;
  const half = (width - 1) / 2;
  return values.map((_, index) => {
    let sum = 0;
    let count = 0;
    for (let i = Math.max(0, index - half); i <= Math.min(values.length - 1, index + half); i += 1) {
      if (values[i] !== null) { sum += values[i]; count += 1; }
    }
    return count ? sum / count : null;
  });
}

// The range that shows the spectrum and not its worst pixels.
function rangeOf(values, from, to, whole) {
  const kept = [];
  for (let i = from; i <= to; i += 1) if (values[i] !== null) kept.push(values[i]);
  if (!kept.length) return [0, 1];
  kept.sort((a, b) => a - b);
  const at = (part) => kept[Math.min(kept.length - 1, Math.max(0, Math.round(part * (kept.length - 1))))];
  const few = whole || kept.length < 200;
  let low = at(few ? 0 : 0.004);
  let high = at(few ? 1 : 0.996);
  if (high <= low) { low -= 1; high += 1; }
  const pad = 0.08 * (high - low);
  return [low - pad, high + pad];
}

export class Plot {
  constructor(canvas, onRead) {
    this.canvas = canvas;
    this.onRead = onRead;
    this.options = { error: true, sky: false, smooth: 1 };
    this.data = null;
    this.view = null;
    this.pointer = null;
    this.drag = null;
    new ResizeObserver(() => this.draw()).observe(canvas.parentElement);
    addEventListener("look", () => this.draw());
    canvas.addEventListener("pointerdown", (event) => this.press(event));
    canvas.addEventListener("pointermove", (event) => this.move(event));
    canvas.addEventListener("pointerup", (event) => this.release(event));
    canvas.addEventListener("pointercancel", () => { this.drag = null; this.draw(); });
    canvas.addEventListener("pointerleave", () => { this.pointer = null; this.draw(); });
    canvas.addEventListener("dblclick", () => this.zoomAll());
    canvas.addEventListener("wheel", (event) => {
      if (!event.ctrlKey && !event.shiftKey) return; // the page scrolls
      event.preventDefault();
      this.zoom(event.deltaY > 0 || event.deltaX > 0 ? 1.25 : 0.8, this.toX(event.offsetX));
    }, { passive: false });
  }

  show(spectrum) {
    const count = spectrum.flux.length;
    const x = spectrum.x ?? Array.from({ length: count }, (_, i) => spectrum.start + i * spectrum.step);
    const kept = this.view && this.data && this.data.axis === spectrum.axis ? this.view : null;
    this.data = { ...spectrum, axisValues: x };
    this.whole = [Math.min(x[0], x[count - 1]), Math.max(x[0], x[count - 1])];
    this.view = kept ?? [...this.whole];
    this.smooth();
    this.draw();
  }

  set(options) {
    Object.assign(this.options, options);
    this.smooth();
    this.draw();
  }

  smooth() {
    if (this.data) this.flux = smoothed(this.data.flux, this.options.smooth);
  }

  zoom(factor, centre = (this.view[0] + this.view[1]) / 2) {
    const low = centre - (centre - this.view[0]) * factor;
    const high = centre + (this.view[1] - centre) * factor;
    this.zoomTo(low, high);
  }

  zoomTo(low, high) {
    const least = Math.abs(this.whole[1] - this.whole[0]) / 400;
    if (high - low < least) return;
    this.view = [Math.max(low, this.whole[0]), Math.min(high, this.whole[1])];
    this.draw();
  }

  zoomAll() {
    if (!this.data) return;
    this.view = [...this.whole];
    this.draw();
  }

  toX(pixel) {
    const { x0, x1 } = this.box;
    return this.view[0] + ((pixel - x0) / (x1 - x0)) * (this.view[1] - this.view[0]);
  }

  press(event) {
    if (!this.data || event.button !== 0) return;
    this.canvas.setPointerCapture(event.pointerId);
    this.drag = { from: event.offsetX, to: event.offsetX };
  }

  move(event) {
    this.pointer = event.offsetX;
    if (this.drag) this.drag.to = event.offsetX;
    if (this.data) this.draw();
  }

  release() {
    const drag = this.drag;
    this.drag = null;
    if (!drag) return;
    const [from, to] = [drag.from, drag.to].sort((a, b) => a - b);
    if (to - from > 6) this.zoomTo(this.toX(from), this.toX(to));
    else this.draw();
  }

  draw() {
    if (!this.data || this.waiting) return;
    this.waiting = requestAnimationFrame(() => { this.waiting = null; this.paint(); });
  }

  paint() {
    const { canvas } = this;
    const scale = window.devicePixelRatio || 1;
    const width = canvas.parentElement.clientWidth;
    const height = canvas.parentElement.clientHeight;
    if (!width || !height) return;
    if (canvas.width !== Math.round(width * scale) || canvas.height !== Math.round(height * scale)) {
      canvas.width = Math.round(width * scale);
      canvas.height = Math.round(height * scale);
    }
    const style = getComputedStyle(document.documentElement);
    this.colour = (name) => style.getPropertyValue(`--${name}`).trim();
    const pen = canvas.getContext("2d");
    pen.setTransform(scale, 0, 0, scale, 0, 0);
    pen.clearRect(0, 0, width, height);
    pen.font = "12px system-ui, sans-serif";
    const bottom = height - MARGIN.bottom;
    const withSky = this.options.sky && this.data.sky;
    const split = withSky ? bottom - (bottom - MARGIN.top) * SKY_SHARE : bottom;
    this.box = { x0: MARGIN.left, x1: width - MARGIN.right, y0: MARGIN.top, y1: withSky ? split - 10 : split };
    const [from, to] = this.indices();
    this.paintAxis(pen, bottom);
    this.paintPanel(pen, this.box, this.flux, this.options.error ? this.data.sigma : null, "plot-line", from, to, false);
    if (withSky) {
      const box = { ...this.box, y0: split, y1: bottom };
      this.paintPanel(pen, box, this.data.sky, null, "plot-sky", from, to, true);
      pen.fillStyle = this.colour("plot-sky");
      pen.textAlign = "left";
      pen.fillText("sky", box.x0 + 6, box.y0 + 13);
    }
    this.paintPointer(pen, bottom);
  }

  // Samples in view, with one more on each side so that the line reaches the edges.
  indices() {
    const x = this.data.axisValues;
    const rising = x[x.length - 1] >= x[0];
    const first = x.findIndex((value) => (rising ? value >= this.view[0] : value <= this.view[1]));
    let last = x.length - 1;
    while (last > 0 && (rising ? x[last] > this.view[1] : x[last] < this.view[0])) last -= 1;
    return [Math.max(0, (first < 0 ? 0 : first) - 1), Math.min(x.length - 1, last + 1)];
  }

  paintAxis(pen, bottom) {
    const { x0, x1, y0 } = this.box;
    const marks = ticks(this.view[0], this.view[1], (x1 - x0) / 95);
    pen.strokeStyle = this.colour("plot-grid");
    pen.fillStyle = this.colour("muted");
    pen.textAlign = "center";
    pen.lineWidth = 1;
    for (const value of marks.values) {
      const at = Math.round(this.at(value)) + 0.5;
      pen.beginPath();
      pen.moveTo(at, y0);
      pen.lineTo(at, bottom);
      pen.stroke();
      pen.fillText(label(value, marks.step), at, bottom + 16);
    }
    pen.textAlign = "right";
    pen.fillText(this.data.axis === "wavelength" ? "Wavelength (Å, air)" : "Pixel", x1, bottom + 31);
  }

  at(value) {
    const { x0, x1 } = this.box;
    return x0 + ((value - this.view[0]) / (this.view[1] - this.view[0])) * (x1 - x0);
  }

  paintPanel(pen, box, values, sigma, colour, from, to, whole) {
    const [low, high] = rangeOf(values, from, to, whole);
    const y = (value) => box.y1 - ((value - low) / (high - low)) * (box.y1 - box.y0);
    const marks = ticks(low, high, Math.max(2, (box.y1 - box.y0) / 55));
    pen.fillStyle = this.colour("muted");
    pen.strokeStyle = this.colour("plot-grid");
    pen.textAlign = "right";
    pen.lineWidth = 1;
    for (const value of marks.values) {
      const at = Math.round(y(value)) + 0.5;
      pen.beginPath();
      pen.moveTo(box.x0, at);
      pen.lineTo(box.x1, at);
      pen.stroke();
      pen.fillText(label(value, marks.step), box.x0 - 7, at + 4);
    }
    pen.save();
    pen.beginPath();
    pen.rect(box.x0, box.y0, box.x1 - box.x0, box.y1 - box.y0);
    pen.clip();
    if (sigma) this.paintBand(pen, values, sigma, y, from, to);
    pen.strokeStyle = this.colour(colour);
    pen.lineWidth = 1.2;
    pen.lineJoin = "round";
    pen.beginPath();
    let down = false;
    for (let i = from; i <= to; i += 1) {
      const value = values[i];
      if (value === null) { down = false; continue; }
      if (down) pen.lineTo(this.at(this.data.axisValues[i]), y(value));
      else pen.moveTo(this.at(this.data.axisValues[i]), y(value));
      down = true;
    }
    pen.stroke();
    pen.restore();
  }

  paintBand(pen, values, sigma, y, from, to) {
    pen.fillStyle = this.colour("plot-band");
    let start = from;
    const good = (i) => i <= to && values[i] !== null && sigma[i] !== null;
    while (start <= to) {
      while (start <= to && !good(start)) start += 1;
      let end = start;
      while (good(end)) end += 1;
      if (end > start) {
        pen.beginPath();
        for (let i = start; i < end; i += 1) pen.lineTo(this.at(this.data.axisValues[i]), y(values[i] + sigma[i]));
        for (let i = end - 1; i >= start; i -= 1) pen.lineTo(this.at(this.data.axisValues[i]), y(values[i] - sigma[i]));
        pen.closePath();
        pen.fill();
      }
      start = end + 1;
    }
  }

  paintPointer(pen, bottom) {
    const { x0, x1, y0 } = this.box;
    if (this.drag && Math.abs(this.drag.to - this.drag.from) > 3) {
      const from = Math.max(x0, Math.min(this.drag.from, this.drag.to));
      const to = Math.min(x1, Math.max(this.drag.from, this.drag.to));
      pen.fillStyle = this.colour("plot-band");
      pen.fillRect(from, y0, to - from, bottom - y0);
    }
    if (this.pointer === null || this.pointer < x0 || this.pointer > x1) {
      this.onRead(null);
      return;
    }
    pen.strokeStyle = this.colour("muted");
    pen.globalAlpha = 0.6;
    pen.beginPath();
    pen.moveTo(this.pointer, y0);
    pen.lineTo(this.pointer, bottom);
    pen.stroke();
    pen.globalAlpha = 1;
    const wanted = this.toX(this.pointer);
    const x = this.data.axisValues;
    let index = 0;
    if (this.data.step) index = Math.round((wanted - this.data.start) / this.data.step);
    else x.forEach((value, i) => { if (Math.abs(value - wanted) < Math.abs(x[index] - wanted)) index = i; });
    index = Math.max(0, Math.min(x.length - 1, index));
    this.onRead({ x: x[index], flux: this.flux[index], sigma: this.data.sigma?.[index] ?? null });
  }
}
