// A query as pieces: what is painted, what is completed. Pure.

const PIECE = /--[^\n]*|'(?:[^']|'')*'?|"(?:[^"]|"")*"?|(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|[A-Za-z_]\w*|\s+|[^]/gu;

// Pieces of a text: [{kind, text, at}]; together they are the text again.
export function pieces(text, words, functions) {
  return [...text.matchAll(PIECE)].map(({ 0: piece, index }) => ({ kind: kindOf(piece, words, functions), text: piece, at: index }));
}

function kindOf(piece, words, functions) {
  if (piece.startsWith("--")) return "remark";
  if (piece[0] === "'") return "string";
  if (piece[0] === '"') return "name";
  if (/^\.?\d/.test(piece)) return "number";
  if (!/^[A-Za-z_]/.test(piece)) return "";
  const upper = piece.toUpperCase();
  return functions.has(upper) ? "function" : words.has(upper) ? "word" : "name";
}

const plain = (name) => (name[0] === '"' ? name.slice(1, -1).replaceAll('""', '"') : name.toLowerCase());
const parts = (path) => (path.match(/"(?:[^"]|"")*"|[^.]+/g) ?? []).map(plain);
const same = (one, other) => one.length === other.length && one.every((part, i) => part.toLowerCase() === other[i].toLowerCase());
const NAME = String.raw`(?:"(?:[^"]|"")+"|[A-Za-z_]\w*)`;
const TABLE = new RegExp(`\\b(?:FROM|JOIN)\\s+|,\\s*`, "gi");
const NAMED = new RegExp(`^(${NAME}(?:\\s*\\.\\s*${NAME})*)(?:\\s+(?:AS\\s+)?(${NAME}))?`, "i");
const CLAUSES = new Set("WHERE ON JOIN INNER LEFT RIGHT FULL NATURAL CROSS GROUP ORDER HAVING UNION EXCEPT INTERSECT OFFSET USING AS".split(" "));

// Tables that a query names, by the name by which its columns can be called.
export function tablesIn(text, tables) {
  const bare = text.replace(/--[^\n]*|'(?:[^']|'')*'?/g, (found) => " ".repeat(found.length));
  const found = new Map();
  for (const match of bare.matchAll(TABLE)) {
    const named = NAMED.exec(bare.slice(match.index + match[0].length));
    if (!named) continue;
    const path = parts(named[1].replace(/\s/g, ""));
    const table = tables.find((one) => same(parts(one.name), path))
      ?? tables.find((one) => path.length === 1 && parts(one.name).at(-1).toLowerCase() === path[0].toLowerCase());
    if (!table) continue;
    const alias = named[2] && !CLAUSES.has(named[2].toUpperCase()) ? named[2] : null;
    found.set(alias ? plain(alias) : path.at(-1).toLowerCase(), { table, alias });
  }
  return found;
}

const BEFORE = new RegExp(`((?:${NAME}\\.)*)("?[\\w]*)$`);
const MOST = 60;

// What can stand at a place of a query: {from, to, offers: [{text, kind, about}]}, best first.
export function offers(text, at, vocabulary) {
  const none = { from: at, to: at, offers: [] };
  const before = text.slice(0, at);
  const last = pieces(before, new Set(), new Set()).at(-1);
  const open = last && (last.kind === "remark" || (last.kind === "string" && !/^'(?:[^']|'')*'$/.test(last.text)) || last.kind === "number");
  if (open) return none;
  const [, qualifier, typed] = BEFORE.exec(before);
  const from = at - typed.length;
  const to = at + /^\w*"?/.exec(text.slice(at))[0].replace(/"$/, typed[0] === '"' ? '"' : "").length;
  const all = qualifier ? qualified(text, parts(qualifier), vocabulary) : unqualified(text, before.slice(0, from), vocabulary);
  return { from, to, offers: ranked(all, typed.replace(/^"/, "").toLowerCase()) };
}

const columnsOf = (table) => table.columns.map((one) => ({ text: one.name, kind: "column", about: [one.unit, one.about].filter(Boolean).join(" · ") }));
const tableOffer = (table, text = table.name) => ({ text, kind: "table", about: table.about });

function qualified(text, path, { tables }) {
  const inScope = path.length === 1 && tablesIn(text, tables).get(path[0]);
  if (inScope) return columnsOf(inScope.table);
  const table = tables.find((one) => same(parts(one.name), path));
  if (table) return columnsOf(table);
  return tables
    .filter((one) => parts(one.name).length > path.length && same(parts(one.name).slice(0, path.length), path))
    .map((one) => tableOffer(one, one.name.match(/"(?:[^"]|"")*"|[^.]+/g).slice(path.length).join(".")));
}

function unqualified(text, before, { words, functions, tables }) {
  const whole = tables.map((one) => tableOffer(one));
  if (/\b(?:FROM|JOIN)\s+$/i.test(before)) return whole;
  const scope = [...tablesIn(text, tables).values()];
  return [
    ...scope.flatMap(({ table }) => columnsOf(table)),
    ...scope.filter(({ alias }) => alias).map(({ alias, table }) => ({ text: alias, kind: "table", about: table.name })),
    ...words.map((one) => ({ text: one, kind: "word", about: "" })),
    ...functions.map((one) => ({ text: one.name, kind: "function", about: one.about || one.form })),
    ...whole,
  ];
}

function ranked(all, typed) {
  const seen = new Set();
  const fitting = [];
  for (const one of all) {
    const name = one.text.replace(/^"/, "").toLowerCase();
    const last = one.kind === "table" ? name.slice(name.lastIndexOf(".") + 1) : name;
    const rank = name.startsWith(typed) ? 0 : last.startsWith(typed) ? 1 : typed.length > 1 && name.includes(typed) ? 2 : 3;
    const key = `${one.kind} ${one.text}`;
    if (rank === 3 || seen.has(key)) continue;
    seen.add(key);
    fitting.push({ ...one, rank });
  }
  fitting.sort((one, other) => one.rank - other.rank);
  return fitting.slice(0, MOST).map(({ rank: _rank, ...one }) => one);
}
