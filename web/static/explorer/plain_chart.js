// Draws a scene on a canvas, where plotly is not installed: the same curves, band, markers, zoom and picture.
import { ticks } from "../plot.js";
import { labelled } from "./lines.js";
import { styleOf } from "./spectrum.js";
import { band, nearest, thinned } from "./traces.js";

const MARGIN = { left: 62, right: 14, top: 26, bottom: 44 };
const DASHES = { solid: [], dot: [2, 3], dash: [7, 4], dashdot: [7, 3, 2, 3], longdash: [12, 5] };
const LEAST_DRAG = 6;

export class PlainChart {
  constructor(box, on) {
    this.box = box;
    this.on = on;
    this.canvas = document.createElement("canvas");
    box.append(this.canvas);
    this.pointer = null;
    this.from = null;
    new ResizeObserver(() => this.paint()).observe(box);
    this.canvas.addEventListener("pointerdown", (event) => { this.from = event.offsetX; this.canvas.setPointerCapture(event.pointerId); });
    this.canvas.addEventListener("pointermove", (event) => { this.pointer = event.offsetX; this.paint(); });
    this.canvas.addEventListener("pointerleave", () => { this.pointer = null; this.from = null; this.paint(); });
    this.canvas.addEventListener("pointerup", (event) => this.release(event));
    this.canvas.addEventListener("dblclick", () => { this.on.frame(null); this.on.range(null); });
  }

  draw(scene) {
    this.scene = scene;
    this.paint();
    return Promise.resolve();
  }

  release(event) {
    const from = this.from;
    this.from = null;
    if (from === null || !this.scene) return;
    const range = [this.toX(Math.min(from, event.offsetX)), this.toX(Math.max(from, event.offsetX))];
    if (Math.abs(event.offsetX - from) > LEAST_DRAG) { this.on.frame(null); this.on.range(range); }
    else this.on.click(this.toX(event.offsetX));
  }

  toX(pixel) {
    const [low, high] = this.scene.xRange;
    return low + ((pixel - MARGIN.left) / (this.width - MARGIN.left - MARGIN.right)) * (high - low);
  }

  paint(scale = devicePixelRatio) {
    if (!this.scene) return;
    const { width, height } = this.box.getBoundingClientRect();
    [this.width, this.height] = [width, height];
    this.canvas.width = Math.round(width * scale);
    this.canvas.height = Math.round(height * scale);
    const pen = this.canvas.getContext("2d");
    pen.scale(scale, scale);
    const style = getComputedStyle(document.documentElement);
    const colour = (name) => style.getPropertyValue(`--${name}`).trim();
    const { xRange, yRange } = this.scene;
    const inner = { x0: MARGIN.left, x1: width - MARGIN.right, y0: MARGIN.top, y1: height - MARGIN.bottom };
    const at = (x) => inner.x0 + ((x - xRange[0]) / (xRange[1] - xRange[0])) * (inner.x1 - inner.x0);
    const up = (y) => inner.y1 - ((y - yRange[0]) / (yRange[1] - yRange[0])) * (inner.y1 - inner.y0);
    this.axes(pen, inner, at, up, colour);
    pen.save();
    pen.beginPath();
    pen.rect(inner.x0, inner.y0, inner.x1 - inner.x0, inner.y1 - inner.y0);
    pen.clip();
    if (this.scene.outline) this.line(pen, band(this.scene.outline, xRange, width), at, up, { colour: colour("plot-band"), fill: true });
    const theme = document.documentElement.dataset.theme;
    for (const curve of this.scene.curves) this.line(pen, thinned(curve, xRange, width), at, up, styleOf(curve, theme));
    this.markers(pen, inner, at, colour);
    pen.restore();
    this.reading(pen, inner, at, colour);
  }

  axes(pen, inner, at, up, colour) {
    pen.font = "12px system-ui, sans-serif";
    pen.lineWidth = 1;
    const across = ticks(...this.scene.xRange, this.width / 110).values;
    const along = ticks(...this.scene.yRange, this.height / 60);
    pen.strokeStyle = colour("plot-grid");
    pen.fillStyle = colour("muted");
    pen.textAlign = "center";
    for (const value of across) {
      pen.strokeRect(at(value), inner.y0, 0, inner.y1 - inner.y0);
      pen.fillText(String(Number(value.toPrecision(8))), at(value), inner.y1 + 16);
    }
    pen.textAlign = "right";
    for (const value of along.values) {
      pen.strokeRect(inner.x0, up(value), inner.x1 - inner.x0, 0);
      pen.fillText(String(Number(value.toPrecision(4))), inner.x0 - 6, up(value) + 4);
    }
    pen.textAlign = "center";
    pen.fillText(this.scene.xTitle, (inner.x0 + inner.x1) / 2, this.height - 8);
    pen.textAlign = "left";
    pen.fillText([this.scene.yTitle, ...this.scene.curves.filter((one) => one.kind === "over").map((one) => one.name)].join("  ·  "), inner.x0, 16);
  }

  line(pen, { x, y }, at, up, { colour, width = 1, dash = "solid", fill = false }) {
    pen.beginPath();
    let drawing = false;
    for (let i = 0; i < y.length; i += 1) {
      if (!Number.isFinite(y[i])) { drawing = false; continue; }
      if (drawing) pen.lineTo(at(x[i]), up(y[i]));
      else pen.moveTo(at(x[i]), up(y[i]));
      drawing = true;
    }
    pen.lineWidth = width;
    pen.setLineDash(DASHES[dash]);
    if (fill) { pen.fillStyle = colour; pen.fill(); } else { pen.strokeStyle = colour; pen.stroke(); }
    pen.setLineDash([]);
  }

  markers(pen, inner, at, colour) {
    pen.font = "10px system-ui, sans-serif";
    for (const { set, lines } of this.scene.markers) {
      pen.strokeStyle = colour(`line-${set}`);
      pen.setLineDash(set === "absorption" ? [7, 4] : [2, 3]);
      for (const { at: where } of lines) pen.strokeRect(at(where), inner.y0, 0, inner.y1 - inner.y0);
    }
    pen.setLineDash([]);
    for (const { name, at: where, set } of labelled(this.scene.markers, this.scene.xRange)) {
      pen.save();
      pen.fillStyle = colour(`line-${set}`);
      pen.translate(at(where) - 3, inner.y0 + 4);
      pen.rotate(-Math.PI / 2);
      pen.textAlign = "right";
      pen.fillText(name, 0, 0);
      pen.restore();
    }
  }

  reading(pen, inner, at, colour) {
    if (this.pointer === null || this.pointer < inner.x0 || this.pointer > inner.x1) return;
    if (this.from !== null) {
      pen.fillStyle = colour("plot-band");
      pen.fillRect(Math.min(this.from, this.pointer), inner.y0, Math.abs(this.pointer - this.from), inner.y1 - inner.y0);
    }
    const chosen = this.scene.curves.find((one) => one.kind === "flux");
    const index = nearest(chosen.x, this.toX(this.pointer));
    pen.strokeStyle = colour("muted");
    pen.strokeRect(at(chosen.x[index]), inner.y0, 0, inner.y1 - inner.y0);
    pen.fillStyle = colour("text");
    pen.textAlign = "right";
    const value = Number.isFinite(chosen.y[index]) ? chosen.y[index].toPrecision(4) : "no value";
    pen.fillText(`${chosen.x[index].toFixed(1)}  ${value}`, inner.x1 - 4, inner.y0 + 14);
  }

  async image() {
    const ground = document.createElement("canvas");
    this.pointer = null;
    this.paint(2);
    ground.width = this.canvas.width;
    ground.height = this.canvas.height;
    const pen = ground.getContext("2d");
    pen.fillStyle = getComputedStyle(document.documentElement).getPropertyValue("--panel").trim();
    pen.fillRect(0, 0, ground.width, ground.height);
    pen.drawImage(this.canvas, 0, 0);
    this.paint();
    return ground.toDataURL("image/png");
  }
}
