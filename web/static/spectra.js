// The spectra of a product: choose a fibre, step through fibres, keep the address in step.
import { Plot } from "./plot.js";

const root = document.getElementById("explorer");
const product = encodeURIComponent(root.dataset.product);
const count = Number(root.dataset.count);
const byId = (name) => document.getElementById(name);
const rows = [...document.querySelectorAll("#fibres tbody tr")];
const texts = rows.map((row) => row.textContent.toLowerCase());
const kept = new Map();
const KEPT_MOST = 60;
let fibre = Number(root.dataset.first);

const number = (value) => (value === null ? "–" : Math.abs(value) >= 1e5 || (value && Math.abs(value) < 0.01)
  ? value.toExponential(2) : value.toFixed(Math.abs(value) >= 100 ? 0 : 2));
const plot = new Plot(byId("canvas"), (reading) => {
  if (!reading) { byId("readout").textContent = ""; return; }
  const error = reading.sigma === null ? "" : ` ± ${number(reading.sigma)}`;
  byId("readout").textContent = `${reading.x.toFixed(1)}  ${number(reading.flux)}${error}`;
});

function load(wanted) {
  if (!kept.has(wanted)) {
    const asked = fetch(`/api/products/${product}/spectra/${wanted}`, { signal: AbortSignal.timeout(15_000) })
      .then(async (answer) => {
        const found = await answer.json();
        if (!answer.ok) throw new Error(found.detail);
        return found;
      });
    asked.catch(() => kept.delete(wanted));
    kept.set(wanted, asked);
    if (kept.size > KEPT_MOST) kept.delete(kept.keys().next().value);
  }
  return kept.get(wanted);
}

function usable(wanted) {
  const row = rows[wanted - 1];
  return row && !row.hidden && (!byId("targets").checked || row.dataset.type === "P");
}

function neighbour(from, step) {
  for (let next = from + step; next >= 1 && next <= count; next += step) if (usable(next)) return next;
  return null;
}

async function choose(wanted) {
  if (!(wanted >= 1 && wanted <= count)) return;
  fibre = wanted;
  byId("fibre").value = wanted;
  rows.forEach((row) => row.setAttribute("aria-selected", String(Number(row.dataset.fibre) === wanted)));
  const row = rows[wanted - 1];
  const box = byId("fibres");
  const top = row.offsetTop - box.clientHeight / 2;
  if (row.offsetTop < box.scrollTop + 30 || row.offsetTop > box.scrollTop + box.clientHeight - 30) box.scrollTop = top;
  history.replaceState(null, "", `?fibre=${wanted}`);
  for (const link of document.querySelectorAll("#formats a")) {
    link.href = `/api/products/${product}/spectra/${wanted}.${link.dataset.format}`;
  }
  try {
    const spectrum = await load(wanted);
    if (fibre !== wanted) return; // another one was chosen meanwhile
    plot.show(spectrum);
    describe(spectrum.fibre, row.cells[4].textContent);
    for (const step of [1, -1]) {
      const next = neighbour(wanted, step);
      if (next) load(next).catch(() => {});
    }
    document.documentElement.dataset.ready = String(wanted);
  } catch (error) {
    if (fibre === wanted) byId("facts").textContent = `could not be read: ${error.message}`;
  }
}

function describe(found, signal) {
  byId("name").textContent = `${found.fibre}  ${found.name || "(no name)"}`;
  const parts = [rows[found.fibre - 1].cells[2].textContent];
  if (found.magnitude !== null && found.magnitude !== 0) parts.push(`mag ${found.magnitude.toFixed(1)}`);
  if (signal) parts.push(`S/N ${signal}`);
  if (found.ra !== null) parts.push(`${found.ra.toFixed(5)} ${found.dec >= 0 ? "+" : "−"}${Math.abs(found.dec).toFixed(5)}`);
  byId("facts").textContent = parts.join(" · ");
}

function move(step) {
  const next = neighbour(fibre, step);
  if (next) choose(next);
}

byId("previous").onclick = () => move(-1);
byId("next").onclick = () => move(1);
byId("fibre").onchange = (event) => choose(Math.round(Number(event.target.value)));
byId("zoom-in").onclick = () => plot.zoom(0.5);
byId("zoom-out").onclick = () => plot.zoom(2);
byId("zoom-all").onclick = () => plot.zoomAll();
byId("smooth").onchange = (event) => plot.set({ smooth: Number(event.target.value) });
for (const name of ["error", "sky"]) {
  const box = byId(name);
  if (box) box.onchange = () => plot.set({ [name]: box.checked });
}
byId("fibres").addEventListener("click", (event) => {
  const row = event.target.closest("tr[data-fibre]");
  if (!row) return;
  event.preventDefault();
  choose(Number(row.dataset.fibre));
});
byId("find").addEventListener("input", (event) => {
  const wanted = event.target.value.trim().toLowerCase();
  rows.forEach((row, index) => { row.hidden = !texts[index].includes(wanted); });
});
byId("find").addEventListener("keydown", (event) => {
  if (event.key !== "Enter") return;
  const wanted = event.target.value.trim().toLowerCase();
  const exact = rows.find((row) => row.cells[0].textContent === wanted);
  const row = exact ?? rows.find((one) => !one.hidden);
  if (row) choose(Number(row.dataset.fibre));
});

const KEYS = {
  ArrowLeft: () => move(-1), ArrowRight: () => move(1), "+": () => plot.zoom(0.5), "=": () => plot.zoom(0.5),
  "-": () => plot.zoom(2), 0: () => plot.zoomAll(), "/": () => byId("find").focus(),
};
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, select, textarea")) return;
  const act = KEYS[event.key];
  if (!act) return;
  event.preventDefault();
  act();
});

choose(fibre);
