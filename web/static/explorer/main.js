// The explorer: a product's field, table and spectra, which always show the same fibre.
import { Chooser } from "./chooser.js";
import { copyLink, saveCsv, savePng } from "./export.js";
import { Library } from "./library.js";
import { EMISSION, ABSORPTION, redshiftOf } from "./lines.js";
import { FIGURES } from "./marks.js";
import { legendOf } from "./legend.js";
import { PlainChart } from "./plain_chart.js";
import { Plate, coloursBy } from "./plate.js";
import { PlotlyChart } from "./plotly_chart.js";
import { Sky } from "./sky.js";
import { sceneOf } from "./spectrum.js";
import { State, write } from "./state.js";
import { Table } from "./table.js";

const byId = (name) => document.getElementById(name);
const root = byId("xp").dataset;
const view = JSON.parse(byId("view").textContent);
const types = JSON.parse(byId("types").textContent);
const fibres = view.fibres;
for (const fibre of fibres) {
  Object.assign(fibre, { snr: fibre.signal_to_noise, throughput: null, residual: null });
}
const library = new Library();
const state = new State(location.search, Number(root.first), root.product);
const titles = new Map([[view.product.product_id, view.product.title], ...view.beside.map((one) => [one.product_id, one.title])]);
let scene = null;
let frame = null; // range of the flux that somebody chose, until the fibre changes
let drawing = 0;

const fibreOf = (number) => fibres[number - 1] ?? fibres[0];
if (state.get("fibre") > fibres.length) state.values.fibre = 1;
const theme = () => document.documentElement.dataset.theme;
const note = (text) => { byId("plot-note").textContent = text; };
const move = (step) => { const next = table.neighbour(state.get("fibre"), step); if (next) choose(next); };
const choose = (fibre) => state.set({ fibre: fibre.fibre });

// ---- parts ----

const chart = new (window.Plotly ? PlotlyChart : PlainChart)(byId("plot"), {
  range: (range) => state.set({ range }),
  frame: (range) => { frame = range; },
  click: (x) => anchor(x),
});
const hover = (fibre) => {
  plate.hover(fibre);
  sky?.hover(fibre);
  table.hover(fibre);
  const told = byId("hover");
  told.hidden = !fibre;
  if (fibre) told.textContent = `${fibre.fibre}  ${fibre.name || "–"} · ${factsOf(fibre).join(" · ")}`;
};
const plate = new Plate(byId("plate"), fibres, { hover, choose });
const table = new Table(byId("fibres"), fibres, { hover, choose, sort: (sort) => state.set({ sort }) });
const sky = root.sky === "yes" ? new Sky(byId("sky"), view, {
  hover, choose,
  key: (key) => act(key),
  ready: () => showView(),
  failed: (reason) => {
    byId("sky-note").textContent = `No sky behind the field: ${reason}. The plate shows the same fibres.`;
    showView();
  },
}) : null;

// ---- the spectrum ----

function factsOf(fibre) {
  const parts = [types[fibre.type] ?? (fibre.type || "no type")];
  if (fibre.magnitude) parts.push(`mag ${fibre.magnitude.toFixed(1)}`);
  if (Number.isFinite(fibre.snr)) parts.push(`S/N ${fibre.snr.toFixed(1)}`);
  if (fibre.pivot !== null) parts.push(`pivot ${fibre.pivot}`);
  return parts;
}

function describe(fibre) {
  byId("target").textContent = fibre.name || `fibre ${fibre.fibre}, no name`;
  const parts = factsOf(fibre);
  if (fibre.ra !== null) parts.push(`${fibre.ra.toFixed(5)} ${fibre.dec < 0 ? "−" : "+"}${Math.abs(fibre.dec).toFixed(5)}`);
  if (fibre.comment) parts.push(fibre.comment);
  byId("facts").textContent = parts.join(" · ");
}

// Everything that belongs on the plot; what cannot be read is told and left out.
async function gather(values) {
  const fibre = fibreOf(values.fibre);
  const lost = [];
  const others = [
    ...values.beside.map((product) => ({ role: "beside", product, found: library.counterpart(product, fibre) })),
    ...values.pins.map((pin) => ({ role: "pin", product: pin.product, found: library.spectrum(pin.product, pin.fibre) })),
  ];
  const chosen = await library.spectrum(values.product, values.fibre);
  const shown = [{ spectrum: chosen, name: nameOf(values.product, fibre.name || `fibre ${fibre.fibre}`), role: "chosen" }];
  for (const { role, product, found } of others) {
    try {
      const spectrum = await found;
      if (!spectrum) lost.push(`${titles.get(product) ?? product} has no fibre on ${fibre.name}`);
      else if (spectrum.axis !== chosen.axis) lost.push(`${titles.get(product) ?? product} has another kind of axis`);
      else shown.push({ spectrum, name: nameOf(product, spectrum.name || `fibre ${spectrum.fibre}`), role });
    } catch (error) {
      lost.push(`${titles.get(product) ?? product}: ${error.message}`);
    }
  }
  return { shown, lost };
}

function nameOf(product, target) { return `${target} · ${titles.get(product) ?? product}`; }

async function draw() {
  const number = (drawing += 1);
  const values = state.values;
  try {
    const { shown, lost } = await gather(values);
    if (number !== drawing) return; // something else was chosen meanwhile
    scene = sceneOf(shown, state.values, frame);
    await chart.draw(scene);
    const empty = shown[0].spectrum.flux.every((value) => !Number.isFinite(value));
    note([...(empty ? ["This fibre has no spectrum: all its pixels are without a value."] : []), ...lost].join(" "));
    document.documentElement.dataset.ready = String(values.fibre);
    prefetch(values);
  } catch (error) {
    if (number === drawing) note(`The spectrum could not be read: ${error.message}`);
  }
}

// The neighbours are there before they are asked for.
function prefetch(values) {
  for (const step of [1, -1]) {
    const next = table.neighbour(values.fibre, step);
    if (!next) continue;
    library.spectrum(values.product, next.fibre).catch(() => {});
    for (const product of values.beside) library.counterpart(product, next).catch(() => {});
  }
}

let asked = null;
function redraw() {
  asked ??= requestAnimationFrame(() => { asked = null; draw(); });
}

// A click on the plot gives the redshift at which the chosen line falls there.
function anchor(x) {
  const rest = Number(byId("anchor")?.value);
  if (rest && view.axis === "wavelength") state.set({ z: Math.min(12, Math.max(-0.01, Number(redshiftOf(rest, x, state.get("medium")).toFixed(5)))) });
}

// ---- the field ----

let recoloured = null;
function recolour() {
  recoloured = coloursBy(fibres, state.get("colour"), theme());
  plate.paint(recoloured);
  sky?.paint(recoloured);
  byId("legend").replaceChildren(...legendOf(recoloured, fibres, types, theme()));
}

function showView() {
  const wanted = sky && state.get("view") === "sky" && sky.state !== "failed";
  if (wanted) sky.start();
  const behind = wanted && sky.state === "ready";
  if (sky) byId("sky").hidden = !wanted;
  byId("stage").dataset.behind = behind ? "sky" : "plate";
  for (const button of document.querySelectorAll("[data-view]")) {
    button.setAttribute("aria-pressed", String(button.dataset.view === (behind || wanted ? "sky" : "plate")));
    button.disabled = sky?.state === "failed" && button.dataset.view === "sky";
  }
}

function filter() {
  table.filter(state.get("find"), state.get("types"));
  plate.keep(table.shown);
  sky?.keep(table.shown);
  byId("shown").textContent = table.shown.size === fibres.length ? `${fibres.length} fibres` : `${table.shown.size} of ${fibres.length} fibres`;
}

function resort() {
  table.sort(state.get("sort"));
  table.select(state.get("fibre"));
}

async function measure() {
  try {
    const found = await library.figures(root.product);
    fibres.forEach((fibre, index) => {
      fibre.snr = fibre.signal_to_noise ?? found.signal_to_noise?.[index] ?? null;
      fibre.throughput = found.throughput?.[index] ?? null;
      fibre.residual = found.sky_residual?.[index] ?? null;
    });
    for (const option of byId("colour").options) {
      if (!FIGURES[option.value] || fibres.some((fibre) => Number.isFinite(fibre[option.value]))) continue;
      option.disabled = true;
      option.textContent = `${option.textContent} (not in this product)`;
    }
  } catch (error) {
    byId("shown").textContent = `Figures of the fibres could not be measured: ${error.message}`;
  }
  table.fill();
  if (!["fibre", "name", "type", "pivot", "magnitude"].includes(state.get("sort").replace("-", ""))) resort();
  recolour();
  describe(fibreOf(state.get("fibre")));
  document.documentElement.dataset.measured = "yes";
}

// ---- controls say what the state is, and the state what controls say ----

function controls(values) {
  byId("fibre").value = values.fibre;
  for (const box of document.querySelectorAll("[data-layer]")) box.checked = values.layers.includes(box.dataset.layer);
  for (const box of document.querySelectorAll("[data-lines]")) box.checked = values.lines.includes(box.dataset.lines);
  for (const box of document.querySelectorAll("[data-beside]")) box.checked = values.beside.includes(box.dataset.beside);
  for (const name of ["smooth", "medium", "scale", "colour"]) if (byId(name)) byId(name).value = values[name];
  if (byId("z") && document.activeElement !== byId("z")) byId("z").value = values.z;
  if (byId("slide")) byId("slide").value = Math.log1p(values.z);
  if (byId("find").value !== values.find) byId("find").value = values.find;
  for (const button of document.querySelectorAll("button[data-type]")) {
    button.setAttribute("aria-pressed", String(values.types === null || values.types.includes(button.dataset.type)));
  }
  byId("pins").replaceChildren(...values.pins.map((pin) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = `${fibreNameOf(pin)} ✕`;
    button.setAttribute("aria-label", `Let go of ${fibreNameOf(pin)}`);
    button.onclick = () => state.set({ pins: state.get("pins").filter((one) => one !== pin) });
    return button;
  }));
}

function fibreNameOf(pin) {
  const own = pin.product === root.product ? fibreOf(pin.fibre).name : "";
  return nameOf(pin.product, own || `fibre ${pin.fibre}`);
}

state.on(["fibre"], ({ product, fibre }) => {
  frame = null;
  library.spectrum(product, fibre).catch(() => {}); // on its way before anything else; drawing tells of errors
});
state.on(["scale", "medium"], () => { frame = null; });
state.on(["fibre", "beside", "pins", "layers", "lines", "z", "medium", "smooth", "scale", "range"], redraw);
state.on(["fibre"], ({ fibre }) => {
  const chosen = fibreOf(fibre);
  describe(chosen);
  table.select(fibre);
  plate.select(chosen);
  sky?.select(chosen);
});
state.on(["colour"], recolour);
state.on(["view"], showView);
state.on(["find", "types"], filter);
state.on(["sort"], resort);
state.on(Object.keys(state.values), controls);

for (const box of document.querySelectorAll("[data-layer]")) box.onchange = () => state.toggle("layers", box.dataset.layer, box.checked);
for (const box of document.querySelectorAll("[data-lines]")) box.onchange = () => state.toggle("lines", box.dataset.lines, box.checked);
for (const box of document.querySelectorAll("[data-beside]")) box.onchange = () => state.toggle("beside", box.dataset.beside, box.checked);
for (const button of document.querySelectorAll("[data-view]")) button.onclick = () => state.set({ view: button.dataset.view });
for (const button of document.querySelectorAll("button[data-type]")) {
  button.onclick = () => {
    const all = [...document.querySelectorAll("button[data-type]")].map((one) => one.dataset.type);
    const now = state.get("types") === null ? all : all.filter((one) => state.get("types").includes(one));
    const next = now.includes(button.dataset.type) ? now.filter((one) => one !== button.dataset.type) : [...now, button.dataset.type];
    state.set({ types: next.length === all.length ? null : next.join("") });
  };
}
byId("smooth").onchange = (event) => state.set({ smooth: Number(event.target.value) });
for (const name of ["medium", "scale", "colour"]) if (byId(name)) byId(name).onchange = (event) => state.set({ [name]: event.target.value, ...(name === "medium" ? { range: null } : {}) });
byId("previous").onclick = () => move(-1);
byId("next").onclick = () => move(1);
byId("fibre").onchange = (event) => {
  const wanted = Math.round(Number(event.target.value));
  if (wanted >= 1 && wanted <= fibres.length) state.set({ fibre: wanted });
  else event.target.value = state.get("fibre");
};
const whole = () => { frame = null; state.set({ range: null }); redraw(); };
byId("whole").onclick = whole;
const shift = (z) => { if (byId("z")) state.set({ z: Math.min(12, Math.max(-0.01, Number(z.toFixed(5)))) }); };
if (byId("z")) {
  byId("z").oninput = (event) => { if (event.target.value !== "" && Number.isFinite(Number(event.target.value))) shift(Number(event.target.value)); };
  byId("slide").oninput = (event) => shift(Math.expm1(Number(event.target.value)));
  for (const [name, rest] of [...EMISSION, ...ABSORPTION.slice(5, 7), ...ABSORPTION.slice(-3)]) {
    byId("anchor").append(new Option(`${name} ${rest.toFixed(0)}`, rest));
  }
}
const pin = () => {
  const { product, fibre, pins } = state.values;
  if (pins.length >= 12 || pins.some((one) => one.product === product && one.fibre === fibre)) return;
  state.set({ pins: [...pins, { product, fibre }] });
};
byId("pin").onclick = pin;
byId("find").oninput = (event) => state.set({ find: event.target.value });
byId("find").addEventListener("keydown", (event) => {
  if (event.key !== "Enter") return;
  const wanted = event.target.value.trim();
  const number = table.visible().find((one) => String(one) === wanted) ?? table.visible()[0];
  if (number) choose(fibreOf(number));
});

const here = () => `${location.origin}${location.pathname}${write(state.values)}`;
byId("csv").onclick = () => { if (scene) saveCsv(scene, here()); };
byId("png").onclick = () => { if (scene) savePng(chart, scene).catch((error) => note(`The picture could not be made: ${error.message}`)); };
byId("link").onclick = async () => note(await copyLink(here()));

const dialogue = byId("chooser");
const chooser = new Chooser(byId("chooser-find"), byId("chooser-tree"), (product) => {
  // What is looked at in the next product is what was looked at in this one; its fibres and neighbours are others.
  const { beside, pins, find, types: some, ...kept } = state.values;
  return `/explorer${write({ ...kept, product, beside: [], pins, find: "", types: null })}`;
});
const openChooser = () => {
  dialogue.showModal();
  chooser.load();
  byId("chooser-find").focus();
};
byId("choose").onclick = openChooser;

const KEYS = {
  ArrowLeft: () => move(-1), ArrowRight: () => move(1), "/": () => byId("find").focus(), o: openChooser, p: pin, 0: whole,
  "[": () => shift(state.get("z") - 0.001), "]": () => shift(state.get("z") + 0.001),
};
function act(key) {
  if (!KEYS[key]) return false;
  KEYS[key]();
  return true;
}
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || dialogue.open || event.target.closest('input:not([type="checkbox"]), select, textarea')) return;
  if (act(event.key)) event.preventDefault();
});
addEventListener("look", () => { recolour(); redraw(); });

// ---- begin ----

controls(state.values);
table.sort(state.get("sort"));
filter();
recolour();
const first = fibreOf(state.get("fibre"));
describe(first);
table.select(first.fibre);
plate.select(first);
sky?.select(first);
showView();
draw();
measure();
state.save();
