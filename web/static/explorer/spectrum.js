// The spectrum that is shown: what belongs to it, in which units, with which lines; drawn by plotly, or plainly.
import { axisIn } from "./wavelengths.js";
import { observed } from "./lines.js";
import { extent, factorOf, scaled, smoothed, span } from "./traces.js";

const BULK = 0.04; // part of the pixels that the sky's bright lines may take

const inMedium = new Map(); // wavelength axes in vacuum, by the axis in air

function axisOf(spectrum, medium) {
  if (spectrum.axis !== "wavelength" || medium === "air") return spectrum.x;
  if (!inMedium.has(spectrum.x)) {
    if (inMedium.size > 12) inMedium.clear();
    inMedium.set(spectrum.x, axisIn(medium, spectrum.x));
  }
  return inMedium.get(spectrum.x);
}

// What is drawn: curves, an error band, markers and axes. `shown` has the chosen spectrum first.
// Each item is { spectrum, name, role: "chosen" | "beside" | "pin" }.
export function sceneOf(shown, state, keepY) {
  const curves = [];
  let outline = null;
  const same = state.scale === "same";
  shown.forEach(({ spectrum, name }, index) => {
    const x = axisOf(spectrum, state.medium);
    const factor = same ? factorOf(spectrum.flux) : 1;
    const { values, sigma } = smoothed(spectrum.flux, index === 0 ? spectrum.sigma : null, state.smooth);
    const flux = { x, y: scaled(values, factor), name, kind: index === 0 ? "flux" : "over", index, width: state.smooth };
    if (index === 0) {
      if (spectrum.sky && state.layers.includes("sky")) {
        curves.push({ x, y: scaled(spectrum.sky, factor), name: "sky", kind: "sky", index: 0 });
      }
      if (spectrum.raw && state.layers.includes("raw")) {
        const before = smoothed(spectrum.raw, null, state.smooth).values;
        const from = spectrum.rawFrom === "RWSS" ? "" : `, ${spectrum.rawFrom}`;
        curves.push({ x, y: scaled(before, factor), name: `with sky${from}`, kind: "raw", index: 0 });
      }
      if (sigma && state.layers.includes("error")) outline = { x, y: flux.y, sigma: scaled(sigma, factor) };
    }
    curves.push(flux);
  });
  const first = shown[0].spectrum;
  const wavelength = first.axis === "wavelength";
  const whole = span(curves) ?? [0, 1];
  const xRange = state.range ?? whole;
  return {
    curves: curves.sort((a, b) => order(a) - order(b)),
    outline,
    markers: wavelength ? state.lines.map((set) => ({ set, lines: observed(set, state.z, state.medium) })) : [],
    whole,
    xRange,
    yRange: keepY ?? frameOf(curves, xRange),
    xTitle: wavelength ? `wavelength in ${state.medium} (Å)` : "pixel",
    yTitle: same ? "flux over its median" : first.unit || "flux",
    name: shown[0].name,
  };
}

// Range of fluxes: whole lines of the spectra, and of sky and raw spectra what is not in the sky's brightest lines.
function frameOf(curves, range) {
  const [low, high] = extent(curves.filter((one) => one.kind === "flux" || one.kind === "over"), range);
  const others = curves.filter((one) => one.kind === "sky" || one.kind === "raw");
  if (!others.length) return [low, high];
  const [bottom, top] = extent(others, range, BULK);
  return [Math.min(low, bottom), Math.max(high, top)];
}

// The chosen spectrum lies on top.
function order(curve) { return { sky: 0, raw: 1, over: 2, flux: 3 }[curve.kind]; }

// Colours and dashes of a curve in the present look. In the red look hues tell nothing, so dashes do.
export function styleOf(curve, theme) {
  const style = getComputedStyle(document.documentElement);
  const colour = (name) => style.getPropertyValue(`--${name}`).trim();
  if (curve.kind === "flux") return { colour: colour("plot-line"), width: 1.3, dash: "solid" };
  if (curve.kind === "sky") return { colour: colour("plot-sky"), width: 1, dash: "solid" };
  if (curve.kind === "raw") return { colour: colour("muted"), width: 1, dash: "solid" };
  const which = (curve.index - 1) % 6;
  const dash = theme === "red" ? ["dot", "dash", "dashdot", "longdash", "dot", "dash"][which] : "solid";
  return { colour: colour(`over-${which + 1}`), width: 1, dash };
}
