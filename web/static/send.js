// The button "Send to TOPCAT": the spectrum that is shown goes to programs on this computer.
import { NoHubError, RefusedError, send } from "./samp.js";

const button = document.getElementById("samp");
const status = document.getElementById("samp-status");
const product = encodeURIComponent(button.dataset.product);
const here = location.origin;

async function messages(fibre) {
  const answer = await fetch(`/api/products/${product}/spectra/${fibre}`, { signal: AbortSignal.timeout(15_000) });
  const found = await answer.json();
  if (!answer.ok) throw new Error(found.detail);
  const url = `${here}/vo/spectra/${product}/${fibre}.vot`;
  const name = `${found.fibre.name || "fibre"} ${fibre}`;
  const position = found.fibre.ra === null ? {} : {
    "coord.pointAt.sky": { ra: String(found.fibre.ra), dec: String(found.fibre.dec) },
  };
  return {
    "table.load.votable": { url, "table-id": url, name },
    "spectrum.load.ssa-generic": {
      url, "spectrum-id": url, name,
      meta: { "Access.Reference": url, "Access.Format": "application/x-votable+xml", "Target.Name": name },
    },
    ...position,
  };
}

function told(reached) {
  const loading = ["table.load.votable", "spectrum.load.ssa-generic"].flatMap((type) => reached[type] ?? []);
  const programs = [...new Set(loading)].join(", ");
  if (!programs) return "A hub runs, but no program that reads spectra: start TOPCAT or SPLAT.";
  return `Sent to ${programs}.${button.dataset.limited ? " It reads without your sign-in: only what is public opens." : ""}`;
}

button.addEventListener("click", async () => {
  const fibre = Math.round(Number(document.getElementById("fibre").value));
  button.disabled = true;
  status.textContent = "Asking the hub on this computer; it may ask you whether that is meant.";
  try {
    status.textContent = told(await send("PAWS Live", await messages(fibre)));
  } catch (error) {
    if (error instanceof NoHubError) status.textContent = `Not sent: ${error.message}. Start TOPCAT or Aladin, then try again.`;
    else if (error instanceof RefusedError) status.textContent = `Not sent: the hub refused (${error.message}).`;
    else status.textContent = `Not sent: ${error.message}`;
  } finally {
    button.disabled = false;
  }
});
