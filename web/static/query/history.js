// The list of queries that were run in this browser. It never leaves it.
import { button, make, stored } from "./elements.js";
import { added, changed, listed, understood, without } from "./remembered.js";

const KEY = "paws-query-history";
const panel = document.getElementById("history");
let list = understood(stored.read(KEY));

function keep(next) {
  list = next;
  stored.write(KEY, JSON.stringify(list));
  draw();
}

// Remember that a query was run, and what was said of it.
export const remember = (query, told) => keep(added(understood(stored.read(KEY)), { query, when: Date.now(), told }));

let take = () => {};
export const whenTaken = (work) => { take = work; };

const titleOf = (one) => one.name || one.query.replace(/\s+/g, " ").slice(0, 120);

function item(one) {
  const star = button(one.star ? "★" : "☆", () => keep(changed(list, one.query, { star: !one.star })), { "aria-pressed": String(one.star), "aria-label": `Star: ${titleOf(one)}`, class: "quiet" });
  const open = button(titleOf(one), () => take(one.query), { class: "as-link", title: one.query });
  const rename = button("Rename", () => {
    const field = make("input", { value: one.name, maxlength: "80", "aria-label": "Name of the query" });
    const done = () => keep(changed(list, one.query, { name: field.value.trim() }));
    field.addEventListener("keydown", (event) => { if (event.key === "Enter") { event.preventDefault(); done(); } });
    field.addEventListener("blur", done, { once: true });
    open.replaceWith(field);
    field.focus();
  }, { class: "quiet" });
  const remove = button("Delete", () => keep(without(list, one.query)), { class: "quiet", "aria-label": `Delete: ${titleOf(one)}` });
  const when = make("time", { class: "muted", datetime: new Date(one.when).toISOString() }, `${new Date(one.when).toISOString().slice(0, 16).replace("T", " ")} UT`);
  return make("li", {}, star, make("div", {}, open, make("div", { class: "small" }, when, " ", make("span", { class: "muted" }, one.told), " ", rename, remove)));
}

function draw() {
  const empty = make("p", { class: "muted" }, "Queries that you run are kept in this browser, the newest hundred.");
  panel.querySelector("div").replaceChildren(list.length ? make("ul", { class: "kept" }, ...listed(list).map(item)) : empty);
}

addEventListener("storage", (event) => { if (event.key === KEY) { list = understood(event.newValue); draw(); } });
draw();
panel.hidden = false;
