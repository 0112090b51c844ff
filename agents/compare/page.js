
"use strict";
const report = JSON.parse(document.getElementById("data").textContent);
const SVG = "http://www.w3.org/2000/svg";
const WIDTH = 720, HEIGHT = 220, LEFT = 62, RIGHT = 12, TOP = 12, BOTTOM = 30;

function make(parent, tag, text, className) {
  const element = document.createElement(tag);
  if (text !== undefined) element.textContent = text;
  if (className) element.className = className;
  parent.append(element);
  return element;
}

function draw(parent, tag, attributes, text) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  if (text !== undefined) element.textContent = text;
  parent.append(element);
  return element;
}

function figure(value, places, sign) {
  if (value === undefined || value === null) return "";
  return (sign && value > 0 ? "+" : "") + value.toFixed(places);
}

// Steps of 1, 2 or 5 times a power of ten, about five of them.
function ticks(low, high) {
  const raw = (high - low) / 5, power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((item) => item * power).find((item) => item >= raw);
  const found = [];
  for (let at = Math.ceil(low / step) * step; at <= high + step * 1e-9; at += step) found.push(at);
  return { found, places: Math.max(0, Math.ceil(-Math.log10(step) - 1e-9)) };
}

// All but the wildest fibres: one dead fibre must not flatten the rest. What lies outside is drawn at the edge.
function range(series, mark) {
  const values = series.flat().filter((item) => item !== null).sort((one, other) => one - other);
  if (!values.length) return null;
  let low = values[Math.floor(0.01 * (values.length - 1))], high = values[Math.ceil(0.99 * (values.length - 1))];
  if (mark !== null) { low = Math.min(low, mark); high = Math.max(high, mark); }
  const pad = (high - low) * 0.08 || Math.abs(high) * 0.01 || 0.01;
  return [low - pad, high + pad];
}

function plot(parent, title, series, mark, lost) {
  const bounds = range(series.map((item) => item.values), mark);
  if (bounds === null) return;
  const [low, high] = bounds, count = series[0].values.length;
  const box = make(parent, "figure");
  const caption = make(box, "figcaption", title);
  const svg = draw(box, "svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": title });
  const x = (fibre) => LEFT + (fibre / (count + 1)) * (WIDTH - LEFT - RIGHT);
  const y = (value) =>
    HEIGHT - BOTTOM - ((Math.min(high, Math.max(low, value)) - low) / (high - low)) * (HEIGHT - TOP - BOTTOM);
  const scale = ticks(low, high);
  for (const at of scale.found) {
    draw(svg, "line", { class: "grid", x1: LEFT, x2: WIDTH - RIGHT, y1: y(at), y2: y(at) });
    draw(svg, "text", { x: LEFT - 6, y: y(at) + 4, "text-anchor": "end" }, at.toFixed(scale.places));
  }
  for (const at of ticks(0, count).found)
    draw(svg, "text", { x: x(at), y: HEIGHT - 10, "text-anchor": "middle" }, String(at));
  if (mark !== null) draw(svg, "line", { class: "mark", x1: LEFT, x2: WIDTH - RIGHT, y1: y(mark), y2: y(mark) });
  for (const fibre of lost) draw(svg, "line", { class: "lost", x1: x(fibre), x2: x(fibre), y1: TOP, y2: HEIGHT - BOTTOM });
  for (const item of series) {
    item.values.forEach((value, index) => {
      if (value === null) return;
      const dot = draw(svg, "circle", { class: item.style, cx: x(index + 1), cy: y(value), r: 2.2 });
      draw(dot, "title", {}, `fibre ${index + 1}: ${value}`);
    });
    if (item.name) make(caption, "span", " " + item.name, item.style === "dot-a" ? "a" : "b");
  }
}

function one(product, column, style = "dot-b", name = "") {
  return { values: product.fibres[column] ?? [], style, name };
}

function show(product) {
  const box = document.getElementById("product");
  box.replaceChildren();
  make(box, "h2", product.path);
  if (product.problem) make(box, "p", product.problem, "bad");
  for (const [name, list] of [["lost", product.lost_fibres], ["gained", product.gained_fibres]])
    if (list.length) make(box, "p", `fibres ${name}: ${list.join(", ")}`, name === "lost" ? "bad" : "");
  const plots = make(box, "div", undefined, "plots"), lost = product.lost_fibres;
  if (!product.fibres.shift) { make(plots, "p", "A detector frame: only its noise is compared.", "muted"); return; }
  plot(plots, "Flux ratio B/A by fibre", [one(product, "flux_ratio")], 1, lost);
  plot(plots, `Shift B-A by fibre (${product.shift_unit})`, [one(product, "shift")], 0, lost);
  plot(plots, "Measured noise ratio B/A by fibre", [one(product, "noise_ratio")], 1, lost);
  plot(plots, "S/N by fibre", [one(product, "sn_a", "dot-a", "A"), one(product, "sn_b", "dot-b", "B")], null, lost);
  plot(plots, "Claimed noise ratio B/A by fibre (from variances)", [one(product, "claimed")], 1, lost);
}

function choose(index, focus) {
  const rows = document.querySelectorAll("tbody tr");
  if (!rows.length) return;
  const at = Math.max(0, Math.min(rows.length - 1, index));
  rows.forEach((row, number) => {
    row.setAttribute("aria-selected", String(number === at));
    row.tabIndex = number === at ? 0 : -1;
  });
  if (focus) rows[at].focus();
  rows[at].scrollIntoView({ block: "nearest" });
  chosen = at;
  show(report.products[at]);
}

let chosen = 0;
const exceeded = new Set(report.breaches.map((item) => item.path));
const body = document.body;
const main = make(body, "main");
make(main, "h1", `${report.b.engine} compared with ${report.a.engine}`);
make(main, "p", `${report.run}; ${report.products.length} products; ` +
  `engine time ${figure(report.engine_seconds.a, 1)} s (A) and ${figure(report.engine_seconds.b, 1)} s (B)`, "muted");
for (const [letter, side] of [["A", report.a], ["B", report.b]])
  make(main, "div", `${letter}: ${side.engine} ${side.version}, ${side.reductions} reductions, ` +
    `${side.failures.length} failed, ${figure(side.seconds, 1)} s in all`, letter.toLowerCase());
const verdict = report.breaches.length ? `${report.breaches.length} limits exceeded`
  : Object.keys(report.limits.limits ?? {}).length || report.limits.max_failures !== undefined ? "all within the limits" : "no limits set";
make(main, "p", verdict, report.breaches.length ? "bad" : "good");
function list(title, items) {
  if (!items.length) return;
  make(main, "h2", title);
  const box = make(main, "ul");
  for (const item of items) make(box, "li", item);
}
list("Limits exceeded", report.breaches.map((item) =>
  `${item.path || "all"}: ${item.limit} is ${item.value.toPrecision(5)}, allowed ${item.allowed}`));
list("Failures of A", report.a.failures.map((item) => `${item.slot}: ${item.reason}`));
list("Failures of B", report.b.failures.map((item) => `${item.slot}: ${item.reason}`));
list("Only A made", report.only_a);
list("Only B made", report.only_b);
make(main, "h2", "Products");
const help = make(main, "p", undefined, "muted");
for (const key of ["j", "k"]) make(help, "kbd", key);
help.append(" next and previous product. Flux, shift and noise are medians over fibres, B compared with A.");
const table = make(make(main, "div", undefined, "scroll"), "table");
const head = make(make(table, "thead"), "tr");
for (const title of ["product", "flux", "95 % within", "shift", "95 % within", "noise", "S/N A", "S/N B", "lost", "s A", "s B"])
  make(head, "th", title).scope = "col";
const rows = make(table, "tbody");
report.products.forEach((product, index) => {
  const row = make(rows, "tr"), figures = product.figures;
  make(row, "td", product.path, exceeded.has(product.path) || product.problem ? "bad" : "");
  for (const text of [
    figure(figures.flux_ratio, 4), figure(figures.flux_ratio_most, 4), figure(figures.shift, 4, true),
    figure(figures.shift_most, 4), figure(figures.noise_ratio, 3), figure(figures.sn_a, 1), figure(figures.sn_b, 1),
    figures.lost_fibres ? String(figures.lost_fibres) : "",
    figure(product.engine_seconds.a, 1), figure(product.engine_seconds.b, 1),
  ]) make(row, "td", text);
  row.addEventListener("click", () => choose(index, true));
});
make(main, "section").id = "product";
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const step = { j: 1, ArrowDown: 1, k: -1, ArrowUp: -1 }[event.key];
  if (step === undefined) return;
  event.preventDefault();
  choose(chosen + step, true);
});
choose(0, false);
