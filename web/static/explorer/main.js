// The explorer: a product's field, table and spectra, which always show the same fibre.
import { Chooser } from "./chooser.js";
import { Controls, boundedZ } from "./controls.js";
import { copyLink, saveCsv, savePng } from "./export.js";
import { Library } from "./library.js";
import { redshiftOf } from "./lines.js";
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
state.values.beside = state.get("beside").filter((product) => titles.has(product));
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
  key: (key) => controls.press(key),
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
  await Promise.all(values.pins.filter((pin) => !titles.has(pin.product)).map((pin) => entitle(pin.product)));
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

// The name of a product that is not of this field.
async function entitle(product) {
  try {
    const { title, field, night } = (await library.plate(product)).product;
    titles.set(product, [title, field, night].filter(Boolean).join(" "));
  } catch {
    titles.set(product, "a product that cannot be read");
  }
  controls.show(state.values);
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
  if (rest && view.axis === "wavelength") state.set({ z: boundedZ(redshiftOf(rest, x, state.get("medium"))) });
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

// ---- what follows from what ----

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

const dialogue = byId("chooser");
const chooser = new Chooser(byId("chooser-find"), byId("chooser-tree"), (product) => {
  // The next product is looked at as this one; its fibres, neighbours and wavelengths are others.
  const others = { beside: [], find: "", types: null, range: null };
  return `/explorer${write({ ...state.values, ...others, product })}`;
});
const controls = new Controls(state, fibres.length, {
  move,
  whole: () => { frame = null; state.set({ range: null }); redraw(); },
  nameOf: fibreNameOf,
  first: (text) => {
    const number = table.visible().find((one) => String(one) === text) ?? table.visible()[0];
    if (number) choose(fibreOf(number));
  },
  open: () => {
    dialogue.showModal();
    chooser.load();
    byId("chooser-find").focus();
  },
});
byId("choose").onclick = () => controls.press("o");
addEventListener("look", () => { recolour(); redraw(); });

// ---- to take along ----

const here = () => `${location.origin}${location.pathname}${write(state.values)}`;
byId("csv").onclick = () => { if (scene) saveCsv(scene, here()); };
byId("png").onclick = () => { if (scene) savePng(chart, scene).catch((error) => note(`The picture could not be made: ${error.message}`)); };
byId("link").onclick = async () => note(await copyLink(here()));

// ---- begin ----

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
