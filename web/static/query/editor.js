// The field of the query: painted beneath what is typed, wrong places marked.
import { pieces } from "./words.js";

const field = document.getElementById("query");
const frame = document.getElementById("editor");
const paper = frame.querySelector("pre");
const known = { words: new Set(), functions: new Set() };
const listeners = [];
let wrong = null;

export const text = () => field.value;
export const caret = () => field.selectionEnd;
export const element = field;
export const whenChanged = (listener) => listeners.push(listener);

export function know(vocabulary) {
  known.words = new Set(vocabulary.reserved);
  known.functions = new Set(vocabulary.functions.map((one) => one.name.toUpperCase()));
  paint();
}

// Mark a place, in letters from the beginning.
export function mark(at, length) {
  wrong = at === null ? null : { at, end: Math.min(at + Math.max(length, 1), field.value.length) };
  paint();
}

// Put a text in the place of another, so that it can be undone.
export function put(from, to, what) {
  field.focus();
  field.setSelectionRange(from, to);
  if (!document.execCommand("insertText", false, what)) {
    field.setRangeText(what, from, to, "end");
    changed();
  }
}

export const replaceAll = (what) => put(0, field.value.length, what);

// Put a name where the caret is, with spaces around it where letters would touch.
export function insert(name) {
  const [from, to, all] = [field.selectionStart, field.selectionEnd, field.value];
  const before = from > 0 && /[\w")]/.test(all[from - 1]) ? " " : "";
  put(from, to, `${before}${name}${/[\w"]/.test(all[to] ?? "") ? " " : ""}`);
}

// Where a letter is, in pixels from the corner of the editor.
export function placeOf(at) {
  const walker = document.createTreeWalker(paper, NodeFilter.SHOW_TEXT);
  let left = at;
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    if (left <= node.length) {
      const range = document.createRange();
      range.setStart(node, left);
      range.setEnd(node, left);
      const [box] = range.getClientRects();
      const corner = frame.getBoundingClientRect();
      if (box) return { x: box.left - corner.left, y: Math.min(box.bottom, corner.bottom) - corner.top };
      break;
    }
    left -= node.length;
  }
  return { x: 12, y: 30 };
}

function piece(text, kind, isWrong) {
  const made = document.createElement(isWrong ? "mark" : "span");
  if (kind) made.className = `t-${kind}`;
  made.textContent = text;
  return made;
}

function paint() {
  const made = [];
  for (const { kind, text: part, at } of pieces(field.value, known.words, known.functions)) {
    const end = at + part.length;
    if (!wrong || end <= wrong.at || at >= wrong.end) { made.push(piece(part, kind, false)); continue; }
    const [from, to] = [Math.max(wrong.at - at, 0), Math.min(wrong.end - at, part.length)];
    if (from > 0) made.push(piece(part.slice(0, from), kind, false));
    made.push(piece(part.slice(from, to), kind, true));
    if (to < part.length) made.push(piece(part.slice(to), kind, false));
  }
  // A last empty line has no height of its own.
  paper.replaceChildren(...made, "\n ");
}

function changed() {
  wrong = null;
  paint();
  for (const listener of listeners) listener();
}

field.addEventListener("input", changed);
frame.dataset.painted = "";
paint();
