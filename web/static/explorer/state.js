// What is shown, and the address that says so: each is made from the other, so that a link shows the same to others.

const LISTS = new Set(["layers", "lines"]);
const MARK = "~";

const DEFAULTS = {
  product: "", fibre: 1, beside: [], pins: [], layers: ["error"], lines: [], z: 0, medium: "air", smooth: 1, scale: "own",
  range: null, colour: "type", view: "sky", types: null, find: "", sort: "fibre",
};

const number = (text, otherwise) => (text !== null && Number.isFinite(Number(text)) ? Number(text) : otherwise);

// Values in an address; what is absent is as usual.
export function read(search, first) {
  const query = new URLSearchParams(search);
  const words = (name) => (query.has(name) ? query.get(name).split(",").filter(Boolean) : null);
  const range = (query.get("range") ?? "").split(",").map(Number);
  return {
    ...DEFAULTS,
    product: query.get("product") ?? "",
    fibre: number(query.get("fibre"), first),
    beside: words("beside") ?? [],
    pins: (words("pins") ?? []).map((pin) => pin.split(MARK)).filter((pin) => pin.length === 2 && Number(pin[1]) >= 1)
      .map(([product, fibre]) => ({ product, fibre: Number(fibre) })),
    layers: (words("layers") ?? DEFAULTS.layers).filter((one) => one !== "none"),
    lines: words("lines") ?? [],
    z: number(query.get("z"), 0),
    medium: query.get("medium") === "vacuum" ? "vacuum" : "air",
    smooth: Math.max(1, number(query.get("smooth"), 1)),
    scale: query.get("scale") === "same" ? "same" : "own",
    range: range.length === 2 && range.every(Number.isFinite) && range[1] > range[0] ? range : null,
    colour: query.get("colour") ?? DEFAULTS.colour,
    view: query.get("view") === "plate" ? "plate" : "sky",
    types: query.has("types") ? query.get("types") : null,
    find: query.get("find") ?? "",
    sort: query.get("sort") ?? DEFAULTS.sort,
  };
}

// The address of a state: what differs from the usual.
export function write(state) {
  const query = new URLSearchParams({ product: state.product, fibre: state.fibre });
  for (const [name, usual] of Object.entries(DEFAULTS)) {
    if (name in { product: 1, fibre: 1 }) continue;
    let value = state[name];
    if (name === "pins") value = value.map((pin) => `${pin.product}${MARK}${pin.fibre}`);
    if (name === "range" && value) value = value.map((one) => one.toFixed(1));
    if (name === "z") value = Number(value.toFixed(5));
    const text = Array.isArray(value) ? value.join(",") : value;
    const before = Array.isArray(usual) ? usual.join(",") : usual;
    if (text === before || text === null) continue;
    query.set(name, LISTS.has(name) && text === "" ? "none" : text);
  }
  return `?${query}`;
}

// Holds the state; parts of the page are told what changed, by name.
export class State {
  constructor(search, first, product) {
    this.values = { ...read(search, first), product };
    this.listeners = [];
  }

  get(name) { return this.values[name]; }

  on(names, act) { this.listeners.push([new Set(names), act]); }

  set(changes) {
    const changed = Object.keys(changes).filter((name) => this.values[name] !== changes[name]);
    if (!changed.length) return;
    Object.assign(this.values, changes);
    this.save();
    for (const [names, act] of this.listeners) if (changed.some((name) => names.has(name))) act(this.values);
  }

  // Browsers refuse an address that changes too often, as a slider would have it; the last one counts.
  save() {
    clearTimeout(this.saving);
    this.saving = setTimeout(() => history.replaceState(null, "", write(this.values)), 60);
  }

  toggle(name, item, present) {
    const others = this.values[name].filter((one) => one !== item);
    this.set({ [name]: present ? [...others, item] : others });
  }
}
