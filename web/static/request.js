// What is under way: the server writes the page, and what differs in it is exchanged. Nothing jumps.
// Where the page says whose nights it is about, the status feed tells when to look; logs, queues and times, of which no
// event tells, are looked at now and then. Without the feed the page looks by itself.
import { Feed } from "./feed.js";

const QUIET = 300; // let what belongs together arrive together
const EVERY = 2_000; // between two looks, while things happen or no feed tells of them
const RARELY = 10_000; // between two looks while the feed is silent
const SETTLED = 4_000; // after an event: what follows from it for the request is no event
const SLOWEST = 30_000;
const DEADLINE = 15_000;

const link = document.getElementById("link");
const state = () => document.getElementById("state").dataset;
let feed = null;
let live = false;
let heard = 0;
let asked = Date.now();
let failures = 0;
let timer = 0;
let due = Infinity;
let looking = false;

function exchange(fresh) {
  for (const old of document.querySelectorAll("[data-live]")) {
    const next = fresh.getElementById(old.id);
    if (!next || next.outerHTML === old.outerHTML) continue;
    // Whoever reads in it or is about to press something there is not disturbed.
    if (old.contains(document.activeElement) && document.activeElement.matches("button, a, input")) continue;
    const scrolled = [...old.querySelectorAll(".scroll, .log")].map((box) => [box.scrollTop, box.scrollLeft]);
    old.replaceWith(next);
    [...next.querySelectorAll(".scroll, .log")].forEach((box, number) => {
      if (box.classList.contains("log")) box.scrollTop = box.scrollHeight;
      else if (scrolled[number]) [box.scrollTop, box.scrollLeft] = scrolled[number];
    });
  }
  if (document.title !== fresh.title) document.title = fresh.title;
}

function plan(moment) {
  if (looking || moment >= due) return;
  clearTimeout(timer);
  due = moment;
  timer = setTimeout(look, Math.max(0, moment - Date.now()));
}

function pause() {
  if (failures) return Math.min(EVERY * 2 ** failures, SLOWEST);
  return live && Date.now() - heard > SETTLED ? RARELY : EVERY;
}

async function look() {
  due = Infinity;
  if (document.hidden) return; // coming back looks
  looking = true;
  asked = Date.now();
  try {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" }, cache: "no-store", signal: AbortSignal.timeout(DEADLINE) });
    if (answer.status === 404 || answer.status === 401 || answer.redirected) { location.reload(); return; }
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    exchange(new DOMParser().parseFromString(await answer.text(), "text/html"));
    failures = 0;
    if (state().open !== "yes") { end(); return; }
  } catch {
    failures += 1;
  }
  looking = false;
  plan(asked + pause());
}

function end() {
  feed?.close();
  if (link) link.hidden = true;
}

// ---- the feed ----

function told() {
  heard = Date.now();
  plan(Math.max(heard + QUIET, asked + EVERY));
}

function follow() {
  feed = new Feed(null, null, {
    snapshot: told, // after a lost connection, something may have been missed
    delta(event) { if (state().nights.split(" ").includes(event.night)) told(); },
    state(name, text) {
      live = name === "live";
      if (!live) plan(asked + EVERY);
      link.dataset.state = name;
      const words = document.getElementById("link-text");
      if (words.textContent !== text) words.textContent = text;
    },
  });
}

for (const box of document.querySelectorAll(".log")) box.scrollTop = box.scrollHeight;
document.addEventListener("visibilitychange", () => { if (!document.hidden) plan(asked + QUIET); });
if (state().nights !== undefined) follow();
plan(asked + EVERY);
