// The live page: applies snapshots and deltas to the table that the server wrote.
import { Feed } from "./feed.js";
import {
  DETECTOR_GROUP, dateTimeText, fillCell, fillGroup, fillRun, groupKey, localText, runText, utText, words,
} from "./view.js";

const page = document.getElementById("night").dataset;
const night = page.night;
const table = document.getElementById("frames");
const frames = new Map(); // by identifier
let shown = "total";

const byId = (name) => document.getElementById(name);
const copy = (name) => byId(name).content.firstElementChild.cloneNode(true);

// ---- the table ----

function findGroup(key) {
  return [...table.tBodies].find((body) => body.dataset.group === key);
}

function members(key) {
  return [...frames.values()].filter((frame) => groupKey(frame) === key);
}

function newestRun(key) {
  return Math.max(...members(key).map((frame) => frame.run));
}

function groupFor(key) {
  let body = findGroup(key);
  if (!body) {
    body = copy("group-template");
    body.dataset.group = key;
    table.append(body);
  }
  return body;
}

// The newest field stands first, the detectors' calibrations last; moved only when the order is wrong.
function orderGroups() {
  const rank = (body) => (body.dataset.group === DETECTOR_GROUP ? -1 : newestRun(body.dataset.group));
  const now = [...table.tBodies];
  const wanted = [...now].sort((a, b) => rank(b) - rank(a));
  if (wanted.some((body, index) => body !== now[index])) {
    const focused = document.activeElement;
    wanted.forEach((body) => table.append(body));
    if (focused && table.contains(focused)) focused.focus({ preventScroll: true });
  }
}

function cellOf(frame) {
  const known = table.querySelector(`td.arm[data-frame="${CSS.escape(frame.frame_id)}"]`);
  if (known && known.closest("tbody").dataset.group === groupKey(frame)) return known;
  if (known) removeCell(known);
  const body = groupFor(groupKey(frame));
  const rows = [...body.querySelectorAll("tr.run")];
  const free = rows.filter((row) => Number(row.dataset.run) === frame.run)
    .map((row) => row.querySelector(`td.arm[data-arm="${CSS.escape(frame.arm)}"]`))
    .find((td) => td && !td.dataset.frame);
  if (free) {
    free.append(byId("cell-template").content.cloneNode(true));
    return free;
  }
  const row = copy("run-template");
  fillRun(row, frame);
  const after = rows.find((other) => Number(other.dataset.run) > frame.run);
  body.insertBefore(row, after ?? null);
  const td = row.querySelector(`td.arm[data-arm="${CSS.escape(frame.arm)}"]`);
  td.append(byId("cell-template").content.cloneNode(true));
  return td;
}

function removeCell(td) {
  const row = td.closest("tr");
  const body = td.closest("tbody");
  td.replaceChildren();
  delete td.dataset.frame;
  delete td.dataset.state;
  if (![...row.querySelectorAll("td.arm")].some((other) => other.dataset.frame)) row.remove();
  if (!body.querySelector("tr.run")) body.remove();
}

function apply(frame, flash) {
  const before = frames.get(frame.frame_id);
  frames.set(frame.frame_id, frame);
  const td = cellOf(frame);
  fillCell(td, frame);
  if (flash && before?.state !== frame.state) {
    td.classList.remove("changed");
    void td.offsetWidth; // restarts the animation
    td.classList.add("changed");
  }
}

function refresh(keys) {
  for (const key of keys) {
    const found = members(key);
    const body = findGroup(key);
    if (body && found.length) fillGroup(body, key, found);
  }
  orderGroups();
  count();
  filter();
  byId("empty").hidden = frames.size > 0;
}

// ---- counters, which are filters too ----

function count() {
  const counts = { total: frames.size };
  for (const frame of frames.values()) counts[frame.state] = (counts[frame.state] || 0) + 1;
  for (const button of document.querySelectorAll("button.count")) {
    const name = button.dataset.count;
    button.querySelector("b").textContent = String(counts[name] || 0);
    button.hidden = name !== "total" && !counts[name] && name !== shown;
  }
}

function filter() {
  for (const row of table.querySelectorAll("tr.run")) {
    row.hidden = shown !== "total"
      && ![...row.querySelectorAll("td.arm")].some((td) => td.dataset.state === shown);
  }
  for (const body of table.tBodies) body.hidden = !body.querySelector("tr.run:not([hidden])");
}

byId("counts").addEventListener("click", (event) => {
  const button = event.target.closest("button.count");
  if (!button) return;
  shown = button.dataset.count === shown ? "total" : button.dataset.count;
  for (const other of document.querySelectorAll("button.count")) {
    other.setAttribute("aria-pressed", String(other.dataset.count === shown));
  }
  filter();
});

// ---- rejected files and newest products: read again when something happened ----

function soon(work) {
  let timer = null;
  return () => {
    timer ??= setTimeout(() => { timer = null; work().catch(() => {}); }, 700);
  };
}

async function ask(path) {
  const answer = await fetch(path, { signal: AbortSignal.timeout(10_000) });
  if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
  return answer.json();
}

function showRejected(files) {
  byId("rejected").hidden = !files.length;
  byId("rejected-count").hidden = !files.length;
  byId("rejected-count").querySelector("b").textContent = String(files.length);
  byId("rejected-rows").replaceChildren(...files.map((file) => {
    const row = document.createElement("tr");
    const texts = [[file.name, "mono"], [file.reason, "wide"], [`${dateTimeText(file.first_seen)} ${localText(new Date(file.first_seen))}`, "mono"]];
    row.append(...texts.map(([text, kind]) => {
      const td = document.createElement("td");
      td.className = kind;
      td.textContent = text;
      return td;
    }));
    row.firstChild.title = file.path;
    return row;
  }));
}

function card(product) {
  const link = document.createElement("a");
  link.className = "card";
  link.href = `/products/${encodeURIComponent(product.product_id)}`;
  const picture = document.createElement("img");
  Object.assign(picture, { src: `${link.href}/sparkline.svg`, alt: "", width: 220, height: 44 });
  const title = document.createElement("span");
  title.className = "card-title";
  title.textContent = product.field || "detector";
  const sub = document.createElement("span");
  sub.className = "card-sub";
  const run = product.run == null ? "" : `${runText(product.run)} `;
  const arm = product.arm ? ` · ${product.arm}` : "";
  const signal = product.signal_to_noise == null ? "" : ` · S/N ${product.signal_to_noise.toFixed(1)}`;
  sub.textContent = `${run}${words.products[product.kind] || product.kind}${arm}${signal}`;
  link.append(picture, title, sub);
  return link;
}

function showNotice(event) {
  const line = document.createElement("li");
  const time = document.createElement("span");
  time.className = "mono";
  time.textContent = utText(new Date(event.at));
  line.append(time, ` ${event.payload.text ?? event.payload.reason ?? event.state}`);
  const list = byId("notices");
  list.prepend(line);
  while (list.children.length > 5) list.lastElementChild.remove();
  list.hidden = false;
}

const readRejected = soon(async () => showRejected((await ask(`/api/rejected?night=${night}`)).items));
const readProducts = soon(async () => {
  const found = await ask(`/api/products?night=${night}&spectra=true&limit=8`);
  byId("newest").hidden = !found.items.length;
  byId("cards").replaceChildren(...found.items.map(card));
});

// ---- the feed ----

function changed() {
  document.dispatchEvent(new CustomEvent("night:changed"));
}

new Feed(night, null, {
  snapshot(message) {
    if (page.tonight === "yes" && message.night && message.night !== night) return location.reload();
    const known = new Set(message.frames.map((frame) => frame.frame_id));
    for (const id of [...frames.keys()]) if (!known.has(id)) frames.delete(id);
    for (const td of table.querySelectorAll("td.arm[data-frame]")) {
      if (!known.has(td.dataset.frame)) removeCell(td);
    }
    message.frames.forEach((frame) => apply(frame, false));
    changed();
    showRejected(message.rejected);
    refresh(new Set(message.frames.map(groupKey)));
    readProducts();
    document.documentElement.dataset.ready = "yes";
  },
  delta(event) {
    if (event.entity !== "file") changed();
    if (event.entity === "frame" && event.payload.frame_id) {
      const before = frames.get(event.entity_id);
      const frame = { ...before, ...event.payload };
      apply(frame, true);
      refresh(new Set([groupKey(frame), ...(before ? [groupKey(before)] : [])]));
    } else if (event.entity === "notice") {
      showNotice(event);
    } else if (event.entity === "file") {
      readRejected();
    } else if (event.entity === "reduction" && event.state === "succeeded") {
      readProducts();
    }
  },
  state(name, text) {
    byId("link").dataset.state = name;
    if (byId("link-text").textContent !== text) byId("link-text").textContent = text;
  },
});

// ---- a new night begins while the page is open ----

if (page.tonight === "yes") {
  setInterval(async () => {
    try {
      const newest = (await ask("/api/nights?limit=1")).items[0];
      if (newest && newest.night > night) location.reload();
    } catch { /* the feed tells of lost connections */ }
  }, 60_000);
}

// ---- keyboard ----

function cells() {
  return [...table.querySelectorAll("tr.run:not([hidden]) td.arm[data-frame]")]
    .filter((td) => !td.closest("tbody").hidden);
}

function step(rows, columns) {
  const all = cells();
  if (!all.length) return;
  const now = document.activeElement?.closest?.("td.arm[data-frame]");
  let next = now ? null : all[0];
  if (now && columns) {
    next = [...now.closest("tr").querySelectorAll("td.arm[data-frame]")]
      .find((td) => td.dataset.arm === (columns < 0 ? "blue" : "red"));
  } else if (now) {
    const order = [...table.querySelectorAll("tr.run:not([hidden])")].filter((row) => !row.closest("tbody").hidden);
    const row = order[order.indexOf(now.closest("tr")) + rows];
    next = row?.querySelector(`td.arm[data-arm="${now.dataset.arm}"][data-frame]`)
      ?? row?.querySelector("td.arm[data-frame]");
  }
  next?.querySelector(".open").focus({ preventScroll: true });
  next?.scrollIntoView({ block: "nearest" });
}

const KEYS = {
  j: [1, 0], ArrowDown: [1, 0], k: [-1, 0], ArrowUp: [-1, 0], h: [0, -1], ArrowLeft: [0, -1], l: [0, 1], ArrowRight: [0, 1],
};
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, select, textarea")) return;
  const inTable = document.activeElement?.closest?.("#frames");
  if (event.key === "p" && inTable) {
    const link = document.activeElement.closest("td.arm")?.querySelector(".spectra:not([hidden])");
    if (link) location.assign(link.href);
  } else if (event.key === "x" && inTable) {
    const link = document.activeElement.closest("td.arm")?.querySelector(".act");
    if (link) location.assign(link.href);
  } else if (KEYS[event.key] && (inTable || event.key.length === 1)) {
    event.preventDefault();
    step(...KEYS[event.key]);
  }
});

// ---- the time ----

function tick() {
  const now = new Date();
  byId("clock-ut").textContent = utText(now);
  byId("clock-local").textContent = localText(now);
}
byId("clock").hidden = page.tonight !== "yes";
tick();
setInterval(tick, 1000);
