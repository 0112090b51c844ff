// Tables and their columns: found by letters, put into the query by a click.
import { insert } from "./editor.js";
import { button, make } from "./elements.js";

const box = document.getElementById("browse");

function column(one) {
  const facts = [one.unit, one.type, one.ucd].filter(Boolean).join(" · ");
  const name = button(one.name, () => insert(one.name), { class: "as-link mono" });
  return make("li", {}, name, ...(one.indexed ? [" ", make("span", { class: "badge", title: "A search on it is quick" }, "indexed")] : []), " ", make("span", { class: "muted small" }, facts), make("div", { class: "small" }, one.about ?? ""));
}

function table(one) {
  const rows = one.rows === null ? "live" : `${one.rows.toLocaleString("en-AU")} rows`;
  const made = make("details", {}, make("summary", {}, make("span", { class: "mono" }, one.name), " ", make("span", { class: "muted small" }, rows)));
  made.append(make("p", { class: "small" }, one.about, " ", button("Put it in", () => insert(one.name), { class: "quiet", "aria-label": `Put ${one.name} in` })));
  const list = make("ul", { class: "kept" });
  made.append(list);
  // Columns of tables that nobody opens need not be there.
  const fill = (columns) => list.replaceChildren(...columns.map(column));
  made.addEventListener("toggle", () => { if (made.open && !list.children.length) fill(one.columns); });
  return { one, made, fill };
}

export function know({ tables }) {
  const all = tables.map(table);
  const field = make("input", { type: "search", placeholder: "Find a table or a column", "aria-label": "Find a table or a column" });
  field.addEventListener("input", () => {
    const wanted = field.value.trim().toLowerCase();
    const has = (...texts) => texts.some((text) => (text ?? "").toLowerCase().includes(wanted));
    for (const { one, made, fill } of all) {
      const whole = !wanted || has(one.name);
      const columns = whole ? one.columns : one.columns.filter((each) => has(each.name, each.ucd, each.about));
      made.hidden = !whole && !columns.length;
      made.open = Boolean(wanted) && !whole && columns.length > 0;
      fill(made.open ? columns : []);
    }
  });
  box.replaceChildren(field, ...all.map(({ made }) => made));
}
