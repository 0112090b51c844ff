// What a frame looks like as a cell of the table: the same decisions as web/pages/night.py takes on the server.

export const words = JSON.parse(document.getElementById("words")?.textContent || "{}");

const siteTime = new Intl.DateTimeFormat("en-GB", {
  timeZone: "Australia/Sydney", hour: "2-digit", minute: "2-digit", hour12: false,
});
const MJD_OF_EPOCH = 40587;
const NO_FIBRES = new Set(["BIAS", "DARK", "LFLAT"]);
export const DETECTOR_GROUP = "detector";
export const SETTLED = new Set(["reduced", "set_aside", "junked"]);

export function utText(date) { return date.toISOString().slice(11, 19); }
export function localText(date) { return siteTime.format(date); }
export function dateOfMjd(mjd) { return new Date(Math.floor((mjd - MJD_OF_EPOCH) * 86400e3 + 1e-3)); }
export function dateTimeText(text) { return new Date(text).toISOString().slice(0, 19).replace("T", " "); }
export function runText(run) { return String(run).padStart(4, "0"); }

export function groupKey(frame) {
  if (NO_FIBRES.has(frame.frame_class) || !frame.field) return DETECTOR_GROUP;
  return `${frame.field}|${frame.plate ?? ""}`;
}

function why(frame) {
  if (frame.state === "running") return (frame.stage || "at work").replaceAll("_", " ");
  if (frame.state === "reduced") return frame.provisional ? frame.reason || "" : "";
  if (frame.state === "queued") {
    return frame.attempt ? `try ${frame.attempt + 1} follows: ${frame.reason || "the last one failed"}` : "";
  }
  return frame.reason || "";
}

function exposureTexts(exposure) {
  if (!exposure) return ["", "", false];
  const bright = exposure.bright;
  const level = bright < 1000 ? `${Math.round(bright)}` : `${(bright / 1000).toFixed(1)}k`;
  const part = 100 * exposure.saturated_fraction;
  const saturated = exposure.saturated_fraction >= words.saturated;
  const text = `Brightest 2 % of pixels above ${level} ADU, ${part.toFixed(1)} % saturated`;
  return [saturated ? `${level}, ${part.toFixed(0)} % saturated` : level, text, saturated];
}

export function viewOf(frame) {
  const state = words.states[frame.state] || { word: frame.state, meaning: "" };
  const level = words.levels[frame.level] || { label: "", meaning: "" };
  const [exposure, exposureWords, saturated] = exposureTexts(frame.exposure);
  return {
    word: state.word,
    meaning: state.meaning,
    why: why(frame),
    level: level.label,
    levelMeaning: level.meaning,
    signal: frame.signal_to_noise == null ? "" : frame.signal_to_noise.toFixed(1),
    exposure,
    exposureWords,
    saturated,
    progress: frame.state === "running" ? frame.progress : null,
    provisional: Boolean(frame.provisional) && frame.state !== "junked",
    product: frame.state === "reduced" ? frame.job_key : null,
  };
}

// Text only, never markup: a header may hold anything.
function put(root, name, text) {
  const mark = root.querySelector(`[data-f="${name}"]`);
  if (mark.textContent !== text) mark.textContent = text;
  return mark;
}
function show(mark, shown) { mark.hidden = !shown; return mark; }

export function fillCell(td, frame) {
  const view = viewOf(frame);
  td.dataset.frame = frame.frame_id;
  td.dataset.state = frame.state;
  put(td, "badge", view.word).dataset.state = frame.state;
  td.querySelector('[data-f="open"]').href = `/frames/${encodeURIComponent(frame.frame_id)}`;
  show(put(td, "level", view.level), view.level);
  show(td.querySelector('[data-f="provisional"]'), view.provisional);
  put(td, "signal-value", view.signal);
  show(td.querySelector('[data-f="signal"]'), view.signal);
  const spectra = show(td.querySelector('[data-f="spectra"]'), view.product);
  if (view.product) spectra.href = `/reductions/${view.product}/product`;
  const act = td.querySelector('[data-f="act"]');
  if (act) act.href = `/nights/${frame.night}/orders?frame=${encodeURIComponent(frame.frame_id)}`;
  const bar = show(td.querySelector('[data-f="bar"]'), view.progress != null);
  bar.value = view.progress ?? 0;
  show(put(td, "why", view.why), view.why);
  put(td, "tip-word", view.word);
  put(td, "tip-meaning", view.meaning);
  show(put(td, "tip-reason", frame.reason || ""), frame.reason);
  put(td, "tip-level-text", view.level ? `${view.level}: ${view.levelMeaning}` : "");
  show(td.querySelector('[data-f="tip-level"]'), view.level);
  show(put(td, "tip-exposure", view.exposureWords), view.exposureWords);
  show(put(td, "adu", view.exposure), view.exposure).classList.toggle("bad", view.saturated);
}

// The object's name and the frame's class, said once when both are the same.
function subject(frame) {
  const kind = words.classes[frame.frame_class] || frame.frame_class.replaceAll("_", " ");
  const name = frame.object_name.trim();
  return ["", kind, frame.frame_class.toLowerCase()].includes(name.toLowerCase()) ? [kind, ""] : [name, kind];
}

export function fillRun(row, frame) {
  const start = dateOfMjd(frame.utmjd);
  row.dataset.run = frame.run;
  put(row, "run", runText(frame.run));
  put(row, "ut", utText(start));
  put(row, "local", localText(start));
  const [object, kind] = subject(frame);
  put(row, "object", object);
  put(row, "class", kind);
  put(row, "exposed", frame.exposed.toFixed(frame.exposed > 0 && frame.exposed < 10 ? 1 : 0));
  put(row, "airmass", frame.airmass == null ? "" : frame.airmass.toFixed(2));
}

export function fillGroup(body, key, frames) {
  const detector = key === DETECTOR_GROUP;
  const first = frames[0];
  const inOrder = [...frames].sort((a, b) => (a.arm < b.arm ? -1 : a.arm > b.arm ? 1 : 0));
  const gratings = [...new Set(inOrder.map((frame) => frame.grating).filter(Boolean))].join(" + ");
  const plate = first.plate == null ? "" : `plate ${first.plate}`;
  put(body, "title", detector ? "Detector calibrations" : first.field);
  put(body, "subtitle", detector ? "" : [plate, gratings].filter(Boolean).join(" · "));
  put(body, "done", String(frames.filter((frame) => SETTLED.has(frame.state)).length));
  put(body, "total", String(frames.length));
}
