// How fibres are drawn: a shape by type, so that colour is free to tell something else, and colours of figures.

// Paths about the origin, in units of a fibre's radius.
export const SHAPES = {
  P: "M1 0A1 1 0 1 1-1 0A1 1 0 1 1 1 0Z",
  S: "M-.9-.9H.9V.9H-.9Z",
  F: "M0-1.25L1.15.85H-1.15Z",
  U: "M1 0A1 1 0 1 1-1 0A1 1 0 1 1 1 0ZM.55 0A.55 .55 0 1 0-.55 0A.55 .55 0 1 0 .55 0Z",
  N: "M-1-.6L-.6-1L0-.4L.6-1L1-.6L.4 0L1 .6L.6 1L0 .4L-.6 1L-1 .6L-.4 0Z",
};
SHAPES.D = SHAPES.N;
const OTHER = "M0-1.2L1.2 0L0 1.2L-1.2 0Z";

export function shapeOf(type) { return SHAPES[type] ?? OTHER; }

// Matplotlib's viridis (van der Walt and Smith, CC0) at nine points: even to the eye, and to the colour-blind.
const VIRIDIS = ["#440154", "#472d7b", "#3b528b", "#2c728e", "#21918c", "#28ae80", "#5ec962", "#addc30", "#fde725"];
const RED = ["#3a0905", "#5c120b", "#7d1c12", "#9c281b", "#ba3627", "#d64636", "#ee5b49", "#ff7d6b", "#ffb1a6"];

const parts = (colour) => [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16));

// Colour of a part from 0 to 1 of a scale.
export function ramp(part, theme) {
  const stops = theme === "red" ? RED : VIRIDIS;
  const place = Math.min(1, Math.max(0, part)) * (stops.length - 1);
  const low = Math.min(stops.length - 2, Math.floor(place));
  const [a, b] = [parts(stops[low]), parts(stops[low + 1])];
  return `rgb(${a.map((value, i) => Math.round(value + (b[i] - value) * (place - low))).join(" ")})`;
}

// Range of a figure that shows most fibres, not the worst: 3rd to 97th percentile.
export function rangeOf(values) {
  const kept = values.filter((value) => Number.isFinite(value)).sort((a, b) => a - b);
  if (!kept.length) return null;
  const at = (part) => kept[Math.round(part * (kept.length - 1))];
  const [low, high] = [at(0.03), at(0.97)];
  return high > low ? [low, high] : [low - 0.5, high + 0.5];
}

export const FIGURES = {
  snr: { name: "S/N per Å", digits: 1 },
  throughput: { name: "throughput", digits: 2 },
  magnitude: { name: "magnitude", digits: 1, bright: "low" },
  residual: { name: "sky residual", digits: 3, bright: "low" },
};

const ABSENT = null;

// Figure of a fibre, or null. Magnitudes of 0 are fillers of the fibre table.
export function figureOf(fibre, name) {
  const value = name === "magnitude" ? fibre.magnitude || ABSENT : fibre[name];
  return Number.isFinite(value) ? value : ABSENT;
}
