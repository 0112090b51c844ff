// Within the frame: Aladin Lite with every fibre drawn on images of the sky. Says what happens to the page around it.
import { shapeOf } from "./marks.js";

const box = document.getElementById("aladin");
const PATIENCE = 15_000;
const FIELD = 2.45; // degrees
const SIZE = 4.5; // pixels
const REACH = 14;
const paths = new Map();
const look = { by: "type", fills: new Map(), keep: null, selected: null, aim: null };
let catalogue = null;
let A = null; // Aladin Lite

const tell = (message) => parent.postMessage(message, location.origin);
const failed = (reason) => tell({ type: "failed", reason });

function pathOf(type) {
  if (!paths.has(type)) paths.set(type, new Path2D(shapeOf(type)));
  return paths.get(type);
}

const tints = getComputedStyle(document.documentElement);
const tint = (name) => tints.getPropertyValue(`--fibre-${name}`).trim();
const typeTint = (type) => tint({ P: "p", S: "s", F: "f", U: "u", N: "n", D: "n" }[type] ?? "u");

function draw(source, pen) {
  const { fibre, type } = source.data;
  const chosen = fibre === look.selected;
  const fill = look.by === "type" ? typeTint(type) : look.fills.get(fibre);
  pen.save();
  pen.translate(source.x, source.y);
  pen.globalAlpha = look.keep && !look.keep.has(fibre) ? 0.2 : 1;
  if (chosen || fibre === look.aim) {
    pen.beginPath();
    pen.arc(0, 0, SIZE * (chosen ? 2.2 : 1.7), 0, 2 * Math.PI);
    pen.lineWidth = chosen ? 2.5 : 1.5;
    pen.strokeStyle = tint("halo");
    pen.stroke();
  }
  pen.scale(SIZE, SIZE);
  pen.lineWidth = 0.25;
  pen.strokeStyle = "#000";
  pen.stroke(pathOf(type));
  if (fill) { pen.fillStyle = fill; pen.fill(pathOf(type), "evenodd"); }
  else { pen.strokeStyle = typeTint("U"); pen.stroke(pathOf(type)); }
  pen.restore();
}

const again = () => catalogue?.reportChange();

function take(message) {
  if (message.type === "field") show(message).catch((error) => failed(error.message));
  else if (message.type === "select") look.selected = message.fibre;
  else if (message.type === "aim") look.aim = message.fibre;
  else if (message.type === "keep") look.keep = message.fibres ? new Set(message.fibres) : null;
  else if (message.type === "colours") colour(message.colours);
  again();
}

function colour(colours) {
  look.by = colours?.by ?? "type";
  look.fills = new Map(colours?.fills ?? []);
}

async function show({ centre, fibres, colours }) {
  colour(colours);
  await A.init;
  const aladin = A.aladin("#aladin", {
    survey: box.dataset.images, target: `${centre[0]} ${centre[1]}`, fov: FIELD, cooFrame: "ICRSd", log: false,
    showReticle: false, showProjectionControl: false, showLayersControl: false, showFullscreenControl: false,
    showFrame: false, showCooLocation: false, showShareControl: false, showSimbadPointerControl: false,
    showStatusBar: false, showContextMenu: false, showZoomControl: true, showFov: true, samp: false,
  });
  catalogue = A.catalog({ name: "fibres", sourceSize: REACH, shape: draw });
  aladin.addCatalog(catalogue);
  catalogue.addSources(fibres.map(({ fibre, type, ra, dec }) => A.source(ra, dec, { fibre, type })));
  aladin.on("objectHovered", (source) => tell({ type: "hover", fibre: source?.data?.fibre ?? null }));
  aladin.on("objectHoveredStop", () => tell({ type: "hover", fibre: null }));
  aladin.on("objectClicked", (source) => { if (source?.data?.fibre) tell({ type: "choose", fibre: source.data.fibre }); });
  tell({ type: "ready" });
}

addEventListener("message", (event) => {
  if (event.origin === location.origin && event.source === parent) take(event.data);
});
addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  event.stopImmediatePropagation(); // Aladin Lite has keys of its own
  if (["ArrowLeft", "ArrowRight"].includes(event.key)) event.preventDefault();
  tell({ type: "key", key: event.key });
}, { capture: true });

async function begin() {
  if (!box.dataset.images) return failed("images of the sky are switched off");
  if (!box.dataset.aladin) return failed("Aladin Lite is not installed");
  if (!document.createElement("canvas").getContext("webgl2")) return failed("this browser has no WebGL 2");
  try {
    // Asked before anything is drawn: without images the plate is the better drawing.
    const answer = await fetch(`${box.dataset.images.replace(/\/$/, "")}/properties`, { signal: AbortSignal.timeout(PATIENCE), credentials: "omit" });
    if (!answer.ok) return failed(`its server answers ${answer.status}`);
  } catch {
    return failed("its server cannot be reached");
  }
  try {
    A = (await import(box.dataset.aladin)).default;
  } catch (error) {
    return failed(`Aladin Lite cannot be loaded (${error.message})`);
  }
  return tell({ type: "loaded" });
}

begin();
