// Pages of a night that are written by the server: the part that changes is asked for again when something happened.
// The live page has a feed of its own and tells of it by the event "night:changed"; the others open one.
import { Feed } from "./feed.js";

const QUIET = 900; // let what belongs together arrive together
const LEAST = 4_000; // between two questions of one page
const SPREAD = 2_000; // so that a thousand pages do not ask at the same moment
const AGES = 60_000; // ages and the present go on though nothing happens

const part = document.getElementById("part");
let timer = null;
let asked = 0;
let missed = false;

function soon() {
  if (document.hidden) { missed = true; return; }
  const wait = Math.max(QUIET, asked + LEAST - Date.now()) + Math.random() * (asked ? SPREAD : 0);
  timer ??= setTimeout(() => { timer = null; refresh().catch(() => {}); }, wait);
}

// Whoever is in the middle of something is not disturbed.
function busy() {
  const active = document.activeElement;
  return part.contains(active) && active.matches("input[type=text], textarea, select");
}

async function refresh() {
  asked = Date.now();
  if (busy()) { soon(); return; }
  const answer = await fetch(part.dataset.part, { signal: AbortSignal.timeout(10_000) });
  if (!answer.ok) return;
  replace(await answer.text());
}

function replace(html) {
  const fresh = new DOMParser().parseFromString(html, "text/html").body;
  if (fresh.innerHTML === part.dataset.shown) return;
  const open = new Set([...part.querySelectorAll("details[open]")].map((item) => item.id));
  const chosen = new Set([...part.querySelectorAll("input:checked")].map((box) => box.value));
  const places = new Map([...part.querySelectorAll(".scroll")].map((box) => [box.ariaLabel, [box.scrollLeft, box.scrollTop]]));
  const focused = keyOf(document.activeElement);
  part.dataset.shown = fresh.innerHTML;
  part.replaceChildren(...fresh.childNodes);
  for (const item of part.querySelectorAll("details")) item.open = open.has(item.id) || item.open;
  for (const box of part.querySelectorAll("input[type=checkbox]")) box.checked = chosen.has(box.value);
  for (const box of part.querySelectorAll(".scroll")) {
    const place = places.get(box.ariaLabel);
    if (place) [box.scrollLeft, box.scrollTop] = place;
  }
  if (focused) [...part.querySelectorAll("a, input, .scroll")].find((item) => keyOf(item) === focused)?.focus({ preventScroll: true });
}

function keyOf(item) {
  if (!item || !part.contains(item)) return null;
  return `${item.tagName} ${item.getAttribute("href") ?? item.value ?? item.ariaLabel}`;
}

if (part) {
  document.addEventListener("night:changed", soon);
  document.addEventListener("visibilitychange", () => { if (!document.hidden && missed) { missed = false; soon(); } });
  setInterval(soon, AGES);
  if (!document.getElementById("night")) {
    const link = document.getElementById("link");
    new Feed(part.dataset.night, null, {
      snapshot() { document.documentElement.dataset.ready = "yes"; soon(); },
      delta(event) { if (event.entity !== "file") soon(); },
      state(name, text) {
        link.dataset.state = name;
        const words = document.getElementById("link-text");
        if (words.textContent !== text) words.textContent = text;
      },
    });
  }
}
