// One's jobs: what they do, and what became of them. Also those of nobody, whose names this browser keeps.
import { button, make, stored } from "./elements.js";
import * as service from "./service.js";

const KEY = "paws-query-jobs";
const MOST = 20;
const SOON = 1500;
const LATER = 15_000;
const AT_WORK = new Set(["PENDING", "QUEUED", "EXECUTING", "HELD", "SUSPENDED", "UNKNOWN"]);
const STATES = { COMPLETED: "reduced", EXECUTING: "running", QUEUED: "queued", PENDING: "waiting", ERROR: "failed", ABORTED: "" };
const panel = document.getElementById("jobs");
const box = panel.querySelector("div");
const known = new Map();
let ids = own();
let timer = 0;
let show = () => {};
let take = () => {};
let shown = "";

export const whenShown = (work) => { show = work; };
export const whenTaken = (work) => { take = work; };

function own() {
  try {
    const found = JSON.parse(stored.read(KEY) ?? "[]");
    return Array.isArray(found) ? found.filter((one) => typeof one === "string") : [];
  } catch {
    return [];
  }
}

const keep = (list) => stored.write(KEY, JSON.stringify(list.slice(0, MOST)));

// Begin a job, and open the list where it is.
export async function begin(question) {
  const id = await service.submit(question);
  keep([id, ...own()]);
  ids = [id, ...ids];
  panel.open = true;
  await look();
}

async function act(work) {
  try {
    await work();
  } catch (error) {
    box.prepend(make("p", { class: "problem", role: "alert" }, error.message));
  }
  await look();
}

function item(job) {
  const name = job.query.replace(/\s+/g, " ").slice(0, 100) || job.id;
  const state = make("span", { class: "badge", "data-state": STATES[job.phase] ?? "" }, job.phase.toLowerCase());
  const acts = [];
  if (job.result) {
    if (job.format.includes("json")) acts.push(button("Show", () => show(job), { class: "quiet" }));
    acts.push(make("a", { href: service.resultAddress(job.id), download: `job.${job.format.replace(/\W.*/, "") || "votable"}` }, "Result"));
  }
  if (AT_WORK.has(job.phase)) acts.push(button("Abort", () => act(() => service.abort(job.id)), { class: "quiet" }));
  acts.push(button("Delete", () => act(async () => {
    await service.remove(job.id);
    keep(own().filter((one) => one !== job.id));
    known.delete(job.id);
    ids = ids.filter((one) => one !== job.id);
  }), { class: "quiet", "aria-label": `Delete: ${name}` }));
  const error = job.error ? [make("div", { class: "small bad" }, job.error)] : [];
  const when = make("time", { class: "muted", datetime: job.created }, `${job.created.slice(0, 16).replace("T", " ")} UT`);
  const rows = job.rows ? [make("span", { class: "muted" }, `${Number(job.rows).toLocaleString("en-AU")} row${job.rows === "1" ? "" : "s"}`), " "] : [];
  return make("li", {}, state, make("div", {}, button(name, () => take(job.query), { class: "as-link", title: job.query }), ...error, make("div", { class: "small" }, when, " ", ...rows, ...acts)));
}

function draw() {
  const list = ids.map((id) => known.get(id)).filter(Boolean);
  // What somebody is about to press must not be made anew while nothing changed.
  const now = JSON.stringify(list);
  if (now === shown) return;
  shown = now;
  const empty = make("p", { class: "muted" }, "A job may take longer than the page waits, and its result is kept for days. It goes on when you leave.");
  box.replaceChildren(list.length ? make("ul", { class: "kept" }, ...list.map(item)) : empty);
}

async function look() {
  clearTimeout(timer);
  try {
    const mine = await service.jobs().catch(() => []);
    ids = [...new Set([...own().filter((id) => !mine.includes(id)), ...mine])].slice(0, MOST);
    const open = ids.filter((id) => !known.has(id) || AT_WORK.has(known.get(id).phase));
    for (const found of await Promise.all(open.map(async (id) => [id, await service.job(id)]))) {
      if (found[1]) known.set(...found);
      else keep(own().filter((id) => id !== found[0])); // its time is over
    }
    draw();
  } catch {
    // The service is away: what was known stays, and it is asked again.
  }
  const busy = [...known.values()].some((job) => AT_WORK.has(job.phase));
  if (panel.open && document.visibilityState === "visible") timer = setTimeout(look, busy ? SOON : LATER);
}

panel.addEventListener("toggle", () => { if (panel.open) look(); });
document.addEventListener("visibilitychange", () => { if (panel.open) look(); });
draw();
panel.hidden = false;
