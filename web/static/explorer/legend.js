// What shapes and colours on the field mean.
import { FIGURES, ramp, shapeOf } from "./marks.js";

const STEPS = 12;
const SVG = "http://www.w3.org/2000/svg";

function picture(type, fill) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "-1.4 -1.4 2.8 2.8");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", shapeOf(type));
  path.dataset.type = type || "-";
  if (fill) path.setAttribute("fill", fill);
  svg.append(path);
  return svg;
}

function scale(name, range, theme) {
  const { name: words, digits, bright } = FIGURES[name];
  const part = document.createElement("span");
  part.className = "xp-scale";
  const bar = document.createElementNS(SVG, "svg");
  bar.setAttribute("viewBox", `0 0 ${STEPS} 1`);
  bar.setAttribute("preserveAspectRatio", "none");
  bar.setAttribute("aria-hidden", "true");
  for (let step = 0; step < STEPS; step += 1) {
    const rect = document.createElementNS(SVG, "rect");
    const at = step / (STEPS - 1);
    for (const [key, value] of Object.entries({ x: step, y: 0, width: 1.02, height: 1, fill: ramp(bright === "low" ? 1 - at : at, theme) })) rect.setAttribute(key, value);
    bar.append(rect);
  }
  part.append(`${words} ${range[0].toFixed(digits)} `, bar, ` ${range[1].toFixed(digits)}`);
  return part;
}

export function legendOf(colours, fibres, types, theme) {
  const there = [...new Set(fibres.map((fibre) => fibre.type))].sort((a, b) => "PSFUND".indexOf(a) - "PSFUND".indexOf(b));
  const shapes = there.map((type) => {
    const part = document.createElement("span");
    part.className = colours.by === "type" ? "xp-key by-type" : "xp-key";
    part.append(picture(type), ` ${types[type] ?? (type || "no type")}`);
    return part;
  });
  if (colours.by === "type") return shapes;
  if (colours.range) return [scale(colours.by, colours.range, theme), ...shapes];
  const none = document.createElement("span");
  none.textContent = `This product has no ${FIGURES[colours.by].name}.`;
  return [none, ...shapes];
}
