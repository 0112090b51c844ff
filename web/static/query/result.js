// What a query gave: its rows, and two pictures of them.
import { Grid } from "./grid.js";
import { position } from "./columns.js";
import { make } from "./elements.js";
import { Scatter } from "./scatter.js";
import { Sky } from "./sky.js";

const section = document.getElementById("result");
let views = [];


const counted = (number) => number.toLocaleString("en-AU");

function words({ rows, overflow }, asked, seconds) {
  const told = `${counted(rows.length)} row${rows.length === 1 ? "" : "s"}`;
  if (overflow) return `${told}: there are more than the ${counted(asked)} that were asked for`;
  return seconds === null ? told : `${told} in ${seconds.toFixed(seconds < 10 ? 2 : 0)} s`;
}

export function clear() {
  for (const view of views) view.close();
  views = [];
  section.hidden = true;
  section.replaceChildren();
}

// Show a table. `tools` are further elements beside its heading.
export function show(table, { asked, seconds = null, tools = [] }) {
  clear();
  section.hidden = false;
  const heading = make("h2", { id: "result-heading", tabindex: "-1" }, words(table, asked, seconds));
  section.append(make("div", { class: "head" }, heading, make("div", { class: "row tools" }, ...tools)));
  const warnings = Object.entries(table.info ?? {}).filter(([name]) => name.startsWith("warning_"));
  for (const [, text] of warnings) section.append(make("p", { class: "muted" }, text));
  if (!table.rows.length) {
    section.append(make("p", { class: "empty" }, "No row fits."));
    return;
  }
  const box = make("div", { class: "rows scroll" });
  const pictures = make("div", { class: "pictures" });
  section.append(make("div", { class: "found" }, box, pictures));
  let grid = null;
  const chosen = (row) => { for (const view of views) if (view !== grid) view.choose(row); };
  grid = new Grid(box, table.columns, table.rows, chosen);
  const picked = (row) => { grid.show(row); chosen(row); };
  views = [grid];
  const place = position(table.columns);
  if (place) views.push(new Sky(pictures, table, place, picked));
  if (Scatter.fits(table)) views.push(new Scatter(pictures, table, picked));
  if (views.length === 1) pictures.remove();
}
