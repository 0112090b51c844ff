// The field as a drawing: north up, east left, every fibre in its place, whatever its type.
import { FIGURES, figureOf, ramp, rangeOf, shapeOf } from "./marks.js";

const SVG = "http://www.w3.org/2000/svg";
const RADIUS = 0.023; // degrees
const REACH = 0.07; // degrees from a fibre at which a pointer means it

const make = (name, attributes, ...children) => {
  const node = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.append(...children);
  return node;
};

export class Plate {
  // `on` has hover(fibre or null, event) and choose(fibre).
  constructor(svg, fibres, on) {
    this.svg = svg;
    this.fibres = fibres;
    this.on = on;
    this.marks = new Map();
    svg.append(
      make("circle", { r: 1, class: "rim" }), make("circle", { r: 0.5, class: "ring" }),
      make("text", { x: 0, y: -1.02, class: "compass" }, "N"), make("text", { x: -1.04, y: 0.02, class: "compass east" }, "E"),
    );
    for (const fibre of fibres) {
      const mark = make("path", {
        d: shapeOf(fibre.type), transform: `translate(${-fibre.xi} ${-fibre.eta}) scale(${RADIUS})`,
        "data-type": fibre.type || "-", "data-fibre": fibre.fibre, "data-source": fibre.source,
      });
      this.marks.set(fibre.fibre, mark);
      svg.append(mark);
    }
    this.halo = make("circle", { r: RADIUS * 2.3, class: "halo", hidden: "" });
    this.aim = make("circle", { r: RADIUS * 1.8, class: "aim", hidden: "" });
    svg.append(this.aim, this.halo);
    svg.addEventListener("pointermove", (event) => on.hover(this.at(event)));
    svg.addEventListener("pointerleave", () => on.hover(null));
    svg.addEventListener("click", (event) => {
      const fibre = this.at(event);
      if (fibre) on.choose(fibre);
    });
  }

  // The fibre that a pointer means: the nearest that is not hidden.
  at(event) {
    const matrix = this.svg.getScreenCTM();
    if (!matrix) return null;
    const point = new DOMPoint(event.clientX, event.clientY).matrixTransform(matrix.inverse());
    let found = null;
    let least = REACH;
    for (const fibre of this.fibres) {
      const distance = Math.hypot(point.x + fibre.xi, point.y + fibre.eta);
      if (distance < least && !this.marks.get(fibre.fibre).classList.contains("away")) {
        least = distance;
        found = fibre;
      }
    }
    return found;
  }

  move(mark, fibre) {
    mark.toggleAttribute("hidden", !fibre);
    if (!fibre) return;
    mark.setAttribute("cx", -fibre.xi);
    mark.setAttribute("cy", -fibre.eta);
  }

  select(fibre) { this.move(this.halo, fibre); }

  hover(fibre) { this.move(this.aim, fibre); }

  // Fibres that the table leaves out are dim.
  keep(numbers) {
    for (const [fibre, mark] of this.marks) mark.classList.toggle("away", !numbers.has(fibre));
  }

  paint(colours) {
    this.svg.dataset.colour = colours.by;
    for (const fibre of this.fibres) {
      const mark = this.marks.get(fibre.fibre);
      const fill = colours.fills.get(fibre.fibre);
      if (fill) mark.setAttribute("fill", fill);
      else mark.removeAttribute("fill");
      mark.classList.toggle("none", colours.by !== "type" && !fill);
    }
  }
}

// Colours of all fibres by a figure, with the range they stand for.
export function coloursBy(fibres, by, theme) {
  const fills = new Map();
  if (by === "type" || !FIGURES[by]) return { by: "type", fills, range: null };
  const values = fibres.map((fibre) => (fibre.type === "P" || fibre.type === "S" ? figureOf(fibre, by) : null));
  const range = rangeOf(values);
  if (range) {
    fibres.forEach((fibre) => {
      const value = figureOf(fibre, by);
      if (value === null) return;
      const part = (value - range[0]) / (range[1] - range[0]);
      fills.set(fibre.fibre, ramp(FIGURES[by].bright === "low" ? 1 - part : part, theme));
    });
  }
  return { by, fills, range };
}
