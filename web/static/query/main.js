// The query page: what its parts tell each other.
import * as browse from "./browse.js";
import * as complete from "./complete.js";
import * as editor from "./editor.js";
import { button, make } from "./elements.js";
import * as history from "./history.js";
import * as jobs from "./jobs.js";
import * as result from "./result.js";
import * as service from "./service.js";
import { NoHubError, RefusedError, send } from "../samp.js";
import { snippets } from "./snippets.js";

const form = document.getElementById("ask");
const runButton = document.getElementById("run");
const stopButton = document.getElementById("stop");
const jobButton = document.getElementById("job");
const rows = document.getElementById("maxrec");
const format = document.getElementById("job-format");
const verdict = document.getElementById("verdict");
const uploadFile = document.getElementById("upload-file");
const uploadName = document.getElementById("upload-name");
const uploadClear = document.getElementById("upload-clear");
const section = document.getElementById("result");
const LONGEST_ADDRESS = 6000;
const SUFFIXES = { votable: "vot", csv: "csv", fits: "fits", parquet: "parquet", json: "json" };
const PAUSE = 350;

let running = null;

// ---- What is asked -----------------------------------------------------------------------------------------------

function upload() {
  const [file] = uploadFile.files;
  return file ? { name: uploadName.value.trim(), file } : null;
}

const question = () => ({ query: editor.text(), rows: Number(rows.value), upload: upload() });

function fits(asked) {
  if (!asked.query.trim()) return "Write a query first, or take an example.";
  if (asked.upload && !/^[A-Za-z]\w*$/.test(asked.upload.name)) return "The name of your table begins with a letter and has letters, digits and underscores.";
  return "";
}

// The address of the page carries the query, as long as that stays short enough to be passed on.
function address() {
  const parameters = new URLSearchParams({ query: editor.text(), maxrec: rows.value });
  return String(parameters).length < LONGEST_ADDRESS ? `/query?${parameters}` : "/query";
}

// ---- What is said of it ------------------------------------------------------------------------------------------

function tell(...nodes) {
  verdict.replaceChildren(...nodes);
}

function tellWrong(wrong) {
  editor.mark(wrong.position, wrong.length);
  const told = make("p", { class: "problem" }, wrong.text);
  for (const put of wrong.replacements) {
    told.append(" ", button(`Put ${put} there`, () => editor.put(wrong.position, wrong.position + wrong.length, put)));
  }
  tell(told);
}

let checking = null;
let pause = 0;

// Look at a query while it is written; gives whether something is known to be wrong.
async function check() {
  checking?.abort();
  checking = new AbortController();
  const query = editor.text();
  if (!query.trim() || query.length > LONGEST_ADDRESS) { tell(); return false; }
  try {
    const found = await service.check(query, checking.signal);
    if (query !== editor.text()) return false;
    if (!found.fine) { tellWrong(found); return true; }
    editor.mark(null, 0);
    tell(...found.warnings.map((text) => make("p", { class: "muted" }, text)));
  } catch {
    // What runs it will tell.
  }
  return false;
}

editor.whenChanged(() => {
  clearTimeout(pause);
  pause = setTimeout(check, PAUSE);
});

// ---- Running -----------------------------------------------------------------------------------------------------

function busy(on) {
  stopButton.hidden = !on;
  runButton.disabled = on;
  section.setAttribute("aria-busy", String(on));
}

async function ask(work) {
  const asked = question();
  const wrong = fits(asked);
  if (wrong) { tell(make("p", { class: "problem" }, wrong)); return; }
  clearTimeout(pause);
  checking?.abort();
  running?.abort();
  const mine = new AbortController();
  running = mine;
  busy(true);
  tell(make("p", { class: "muted" }, "Running …"));
  try {
    await work(asked, mine.signal);
  } catch (error) {
    if (running !== mine) return;
    if (error.name === "AbortError") tell(make("p", { class: "muted" }, "Stopped."));
    else if (!(error instanceof service.ToldError)) throw error;
    else if (!(await check())) tell(make("p", { class: "problem" }, error.message));
  } finally {
    if (running === mine) { running = null; busy(false); }
  }
}

const run = () => ask(async (asked, signal) => {
  const begun = performance.now();
  globalThis.history.replaceState(null, "", address());
  const table = await service.run(asked, signal).catch((error) => {
    if (error instanceof service.ToldError) history.remember(asked.query, "failed");
    throw error;
  });
  history.remember(asked.query, `${table.rows.length.toLocaleString("en-AU")}${table.overflow ? "+" : ""} rows`);
  tell();
  result.show(table, { asked: asked.rows, seconds: (performance.now() - begun) / 1000, tools: tools(asked) });
});

const job = () => ask(async (asked) => {
  await jobs.begin({ ...asked, format: format.value });
  history.remember(asked.query, "job");
  tell(make("p", { class: "done" }, "The job has begun: it is in the list of jobs."));
});

// ---- What can be done with a result ------------------------------------------------------------------------------

function menu(title, ...inner) {
  return make("details", { class: "menu" }, make("summary", {}, title), make("div", {}, ...inner));
}

function downloads(asked) {
  const links = Object.entries(SUFFIXES).map(([name, suffix]) => {
    const whole = { ...asked, format: name };
    const found = asked.upload ? null : service.address(whole);
    if (found && found.length < LONGEST_ADDRESS) return make("a", { href: found, download: `query.${suffix}` }, name);
    return button(name, () => save(whole, `query.${suffix}`), { class: "as-link" });
  });
  return menu("Download", ...links);
}

async function save(asked, name) {
  try {
    const link = make("a", { href: URL.createObjectURL(await service.file(asked)), download: name });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
  } catch (error) {
    tell(make("p", { class: "problem" }, error.message));
  }
}

async function copy(text) {
  if (navigator.clipboard) { await navigator.clipboard.writeText(text); return; }
  // Browsers give the clipboard to pages of https only.
  const field = make("textarea", { class: "vh", "aria-hidden": "true" });
  field.value = text;
  document.body.append(field);
  field.select();
  document.execCommand("copy");
  field.remove();
}

function copying(asked) {
  const texts = snippets(form.dataset.service, asked.query, asked.rows, asked.upload?.name);
  const link = new URL(address(), location.href).href;
  const buttons = [...Object.entries(texts), ...(link.includes("?") ? [["a link", link]] : [])].map(([name, text]) => {
    const made = button(name, async () => {
      await copy(text);
      made.textContent = `${name}: copied`;
      setTimeout(() => { made.textContent = name; }, 2000);
    }, { class: "as-link" });
    return made;
  });
  return menu("Copy for", ...buttons);
}

function sending(asked) {
  const found = new URL(service.address({ ...asked, format: "votable" }), location.href).href;
  if (asked.upload || found.length > LONGEST_ADDRESS) return [];
  const made = button("Send to TOPCAT", async () => {
    made.disabled = true;
    tell(make("p", { class: "muted" }, "Asking the hub on this computer; it may ask you whether that is meant."));
    tell(make("p", {}, await sent(found)));
    made.disabled = false;
  });
  return [made];
}

async function sent(url) {
  try {
    const reached = await send("PAWS Live", { "table.load.votable": { url, "table-id": url, name: "query" } });
    const programs = (reached["table.load.votable"] ?? []).join(", ");
    if (!programs) return "A hub runs, but no program that reads tables: start TOPCAT.";
    return `Sent to ${programs}.${"limited" in form.dataset ? " It asks without your sign-in: only what is public comes." : ""}`;
  } catch (error) {
    if (error instanceof NoHubError) return `Not sent: ${error.message}. Start TOPCAT, then try again.`;
    if (error instanceof RefusedError) return `Not sent: the hub refused (${error.message}).`;
    return `Not sent: ${error.message}`;
  }
}

const tools = (asked) => [downloads(asked), copying(asked), ...sending(asked)];

// ---- Beginning ---------------------------------------------------------------------------------------------------

function take(query) {
  editor.replaceAll(query);
}

form.addEventListener("submit", (event) => { event.preventDefault(); run(); });
stopButton.addEventListener("click", () => running?.abort());
jobButton.addEventListener("click", job);
form.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
  event.preventDefault();
  run();
});
uploadFile.addEventListener("change", () => { uploadClear.hidden = !uploadFile.files.length; });
uploadClear.addEventListener("click", () => { uploadFile.value = ""; uploadClear.hidden = true; uploadFile.focus(); });
document.getElementById("examples").addEventListener("click", (event) => {
  const link = event.target.closest("a");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  take(new URL(link.href).searchParams.get("query"));
});
document.addEventListener("click", (event) => {
  for (const open of document.querySelectorAll(".menu[open]")) if (!open.contains(event.target)) open.open = false;
});
history.whenTaken(take);
jobs.whenTaken(take);
jobs.whenShown((one) => ask(async (asked, signal) => {
  const table = await service.result(one.id, signal);
  tell();
  result.show(table, { asked: table.rows.length, tools: tools({ ...asked, query: one.query, upload: null }) });
}));
for (const one of document.querySelectorAll(".scripted")) one.hidden = false;

const vocabulary = await service.vocabulary().catch(() => null);
if (vocabulary) {
  editor.know(vocabulary);
  complete.know(vocabulary);
  browse.know(vocabulary);
}
if (editor.text().trim() && !section.children.length) check();
document.documentElement.dataset.ready = "";
