// Messages to programs on this computer: the web profile of SAMP 1.3 (XML-RPC to a hub at localhost:21012).

const HUB = "http://localhost:21012/";
const ASKING = 120_000; // the hub asks its user whether this page may register
const CALLING = 10_000;

export class NoHubError extends Error {}
export class RefusedError extends Error {}

const escaped = (text) => String(text).replace(/[&<>]/g, (char) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;" })[char]);

// SAMP knows strings, lists and maps, nothing else.
function written(value) {
  if (Array.isArray(value)) return `<value><array><data>${value.map(written).join("")}</data></array></value>`;
  if (typeof value === "object") {
    const members = Object.entries(value).map(([name, one]) => `<member><name>${escaped(name)}</name>${written(one)}</member>`);
    return `<value><struct>${members.join("")}</struct></value>`;
  }
  return `<value><string>${escaped(value)}</string></value>`;
}

function read(node) {
  const inner = node.firstElementChild;
  if (!inner) return node.textContent;
  if (inner.tagName === "array") return [...inner.querySelectorAll(":scope > data > value")].map(read);
  if (inner.tagName === "struct") {
    return Object.fromEntries([...inner.children].map((member) => [
      member.querySelector(":scope > name").textContent, read(member.querySelector(":scope > value")),
    ]));
  }
  return inner.textContent;
}

async function call(method, parameters, wait = CALLING) {
  const body = `<?xml version="1.0"?><methodCall><methodName>${method}</methodName><params>`
    + `${parameters.map((one) => `<param>${written(one)}</param>`).join("")}</params></methodCall>`;
  let text;
  try {
    const answer = await fetch(HUB, {
      method: "POST", headers: { "Content-Type": "text/xml" }, body, credentials: "omit", cache: "no-store",
      signal: AbortSignal.timeout(wait),
    });
    text = await answer.text();
  } catch (error) {
    throw new NoHubError(error.name === "TimeoutError" ? "the hub does not answer" : "no hub runs on this computer");
  }
  const found = new DOMParser().parseFromString(text, "text/xml");
  const fault = found.querySelector("methodResponse > fault > value");
  if (fault) throw new RefusedError(String(read(fault).faultString || "refused").slice(0, 200));
  const value = found.querySelector("methodResponse > params > param > value");
  if (!value) throw new NoHubError("what answers on this computer is no hub");
  return read(value);
}

// Send messages to all programs that understand them; gives the names of those programs by message type.
export async function send(name, messages) {
  const registered = await call("samp.webhub.register", [{ "samp.name": name }], ASKING);
  const key = registered["samp.private-key"];
  try {
    await call("samp.webhub.declareMetadata", [key, { "samp.name": name, "samp.icon.url": `${location.origin}/static/icon.svg` }]);
    const reached = {};
    for (const [type, parameters] of Object.entries(messages)) {
      const programs = Object.keys(await call("samp.webhub.getSubscribedClients", [key, type]));
      if (!programs.length) continue;
      await call("samp.webhub.notifyAll", [key, { "samp.mtype": type, "samp.params": parameters }]);
      reached[type] = await Promise.all(programs.map((program) => called(key, program)));
    }
    return reached;
  } finally {
    call("samp.webhub.unregister", [key]).catch(() => {});
  }
}

async function called(key, program) {
  try {
    return String((await call("samp.webhub.getMetadata", [key, program]))["samp.name"] || program);
  } catch {
    return program;
  }
}
