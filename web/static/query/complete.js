// A list beside the caret of what can stand there.
import * as editor from "./editor.js";
import { offers } from "./words.js";

const list = document.getElementById("offers");
const field = editor.element;
let vocabulary = null;
let found = { from: 0, to: 0, offers: [] };
let chosen = 0;
let putting = false;

export function know(given) {
  vocabulary = given;
}

function close() {
  list.hidden = true;
  field.removeAttribute("aria-activedescendant");
  field.removeAttribute("aria-controls");
}

function item(offer, index) {
  const made = document.createElement("li");
  made.id = `offer-${index}`;
  made.role = "option";
  made.dataset.kind = offer.kind;
  const name = document.createElement("b");
  name.textContent = offer.text;
  const about = document.createElement("span");
  about.textContent = offer.about ?? "";
  made.append(name, " ", about);
  made.addEventListener("pointerdown", (event) => {
    event.preventDefault(); // the field keeps the caret
    chosen = index;
    take();
  });
  return made;
}

function show() {
  list.replaceChildren(...found.offers.map(item));
  list.hidden = false;
  const place = editor.placeOf(found.from);
  const room = list.parentElement.clientWidth - list.offsetWidth - 4;
  list.style.left = `${Math.max(0, Math.min(place.x, room))}px`;
  list.style.top = `${place.y + 3}px`;
  field.setAttribute("aria-controls", list.id);
  choose(0);
}

function choose(index) {
  list.children[chosen]?.setAttribute("aria-selected", "false");
  chosen = (index + list.children.length) % list.children.length;
  const item = list.children[chosen];
  item.setAttribute("aria-selected", "true");
  item.scrollIntoView({ block: "nearest" });
  field.setAttribute("aria-activedescendant", item.id);
}

function take() {
  const offer = found.offers[chosen];
  putting = true;
  editor.put(found.from, found.to, offer.kind === "function" ? `${offer.text}(` : offer.text);
  putting = false;
  close();
}

function open(asked) {
  if (!vocabulary || putting) return;
  found = offers(editor.text(), editor.caret(), vocabulary);
  const typed = editor.text().slice(found.from, editor.caret());
  const afterDot = editor.text()[found.from - 1] === ".";
  const done = found.offers.length === 1 && found.offers[0].text.toLowerCase() === typed.toLowerCase();
  if (!found.offers.length || done || (!asked && !afterDot && typed.length < 2)) close();
  else show();
}

const STEPS = { ArrowDown: 1, ArrowUp: -1, PageDown: 8, PageUp: -8 };

// Before the page's own keys: Escape closes the list and leaves the caret where it is.
addEventListener("keydown", (event) => {
  if (event.target !== field) return;
  if (event.ctrlKey && event.code === "Space") {
    event.preventDefault();
    open(true);
    return;
  }
  if (list.hidden || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key in STEPS) choose(chosen + STEPS[event.key]);
  else if (event.key === "Enter" || event.key === "Tab") take();
  else if (event.key === "Escape") close();
  else {
    if (["ArrowLeft", "ArrowRight", "Home", "End"].includes(event.key)) close();
    return;
  }
  event.preventDefault();
  event.stopImmediatePropagation();
}, { capture: true });

// It has no scroll bar of its own, for nothing in it takes the focus.
list.addEventListener("wheel", (event) => { event.preventDefault(); list.scrollTop += event.deltaY; }, { passive: false });
editor.whenChanged(() => open(false));
field.addEventListener("blur", close);
addEventListener("resize", close);
field.setAttribute("aria-autocomplete", "list");
