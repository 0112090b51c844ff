// Questions to the query service.
import { read } from "./columns.js";

const PATIENCE = 30_000;

// `told`: whether the service itself said so.
export class ToldError extends Error {
  constructor(message, told = true) {
    super(message);
    this.told = told;
  }
}

// The reason that an answer gives for being an error: a VOTable, a problem in JSON, or a page.
async function reason(answer) {
  const text = await answer.text();
  const type = answer.headers.get("Content-Type") ?? "";
  if (type.includes("json")) {
    try {
      return JSON.parse(text).detail;
    } catch {
      // What stands before us answered for the service.
    }
  }
  if (type.includes("xml")) {
    const found = new DOMParser().parseFromString(text, "text/xml").querySelector('INFO[name="QUERY_STATUS"]');
    if (found) return found.textContent.trim();
  }
  return answer.status === 413 ? "What was sent is too large." : `The service answered ${answer.status} ${answer.statusText}.`;
}

async function asked(address, options) {
  let answer;
  try {
    answer = await fetch(address, { cache: "no-store", ...options });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ToldError("The service does not answer. Check the connection, and try again.", false);
  }
  if (!answer.ok) throw new ToldError(await reason(answer));
  return answer;
}

// A query as a form: {query, rows, format, upload: {name, file}}.
function form({ query, rows, format, upload }) {
  const plain = { LANG: "ADQL", RESPONSEFORMAT: format, MAXREC: String(rows), QUERY: query };
  if (!upload) return new URLSearchParams(plain);
  const made = new FormData();
  for (const [name, value] of Object.entries(plain)) made.append(name, value);
  made.append("UPLOAD", `${upload.name},param:upload_file`);
  made.append("upload_file", upload.file);
  return made;
}

// A table of JSON: {columns, rows, overflow}; one that broke off is an error.
export async function table(answer) {
  const found = read(await answer.text());
  if (found.status === "ERROR") throw new ToldError(found.message);
  return { columns: found.metadata, rows: found.data, overflow: found.status === "OVERFLOW", info: found.info };
}

export async function run(question, signal) {
  return table(await asked("/tap/sync", { method: "POST", body: form({ ...question, format: "json" }), signal }));
}

export async function file(question, signal) {
  return (await asked("/tap/sync", { method: "POST", body: form(question), signal })).blob();
}

export const address = (question) => `/tap/sync?${form(question)}`;

// Begin a job; gives its identifier.
export async function submit(question) {
  const mark = `page-${crypto.getRandomValues(new Uint32Array(2)).join("-")}`;
  const body = form(question);
  body.append("PHASE", "RUN");
  body.append("RUNID", mark);
  try {
    const answer = await asked("/tap/async", { method: "POST", body });
    return new URL(answer.url).pathname.split("/").at(-1);
  } catch (error) {
    // An installation that is reached by another name than its own leads where the browser may not follow.
    const found = error.told ? undefined : (await listed()).find((one) => inner(one, "runId") === mark);
    if (!found) throw error;
    return found.getAttribute("id");
  }
}

const inner = (node, name) => node.getElementsByTagNameNS("*", name)[0]?.textContent ?? "";

async function listed() {
  const answer = await asked("/tap/async?LAST=50", { signal: AbortSignal.timeout(PATIENCE) });
  const found = new DOMParser().parseFromString(await answer.text(), "text/xml");
  return [...found.getElementsByTagNameNS("*", "jobref")];
}

export const jobs = async () => (await listed()).map((one) => one.getAttribute("id"));

export async function job(id) {
  const answer = await fetch(`/tap/async/${encodeURIComponent(id)}`, { cache: "no-store", signal: AbortSignal.timeout(PATIENCE) });
  if (answer.status === 404) return null;
  if (!answer.ok) throw new ToldError(await reason(answer));
  const found = new DOMParser().parseFromString(await answer.text(), "text/xml");
  const parameters = [...found.getElementsByTagNameNS("*", "parameter")];
  const parameter = (name) => parameters.find((one) => one.getAttribute("id").toUpperCase() === name)?.textContent ?? "";
  return {
    id,
    phase: inner(found, "phase"),
    created: inner(found, "creationTime"),
    destroyed: inner(found, "destruction"),
    query: parameter("QUERY"),
    format: parameter("RESPONSEFORMAT") || parameter("FORMAT") || "votable",
    error: inner(found, "message").trim(),
    result: found.getElementsByTagNameNS("*", "result").length > 0,
    rows: inner(found, "rows"),
  };
}

export const resultAddress = (id) => `/tap/async/${encodeURIComponent(id)}/results/result`;
export const result = async (id, signal) => table(await asked(resultAddress(id), { signal }));

// What changes a job leads to it afterwards, or to the list: nothing that need be read.
async function change(address, options) {
  const answer = await fetch(address, { ...options, redirect: "manual", signal: AbortSignal.timeout(PATIENCE) });
  if (answer.type !== "opaqueredirect" && !answer.ok) throw new ToldError(await reason(answer));
}

export const abort = (id) => change(`/tap/async/${encodeURIComponent(id)}/phase`, { method: "POST", body: new URLSearchParams({ PHASE: "ABORT" }) });
export const remove = (id) => change(`/tap/async/${encodeURIComponent(id)}`, { method: "DELETE" });

export async function check(query, signal) {
  return (await asked(`/query/check?${new URLSearchParams({ query })}`, { signal })).json();
}

export async function vocabulary() {
  return (await asked("/query/vocabulary", { cache: "no-cache" })).json();
}
