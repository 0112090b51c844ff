// Controls say what the state is, and the state what controls say.
import { ABSORPTION, EMISSION } from "./lines.js";

const byId = (name) => document.getElementById(name);
const all = (selector) => [...document.querySelectorAll(selector)];
const MOST_PINS = 12;
const Z = [-0.01, 12];
const NUDGE = 0.001;

// Marks whose boxes stand for members of a list of the state, by the list.
const LISTS = { layers: "layer", lines: "lines", beside: "beside" };

export function boundedZ(z) { return Number(Math.min(Z[1], Math.max(Z[0], z)).toFixed(5)); }

export class Controls {
  // `acts` has move(step), whole(), first(text), nameOf(pin), open().
  constructor(state, count, acts) {
    this.state = state;
    this.acts = acts;
    this.lists();
    this.types();
    this.fields(count);
    this.redshift();
    this.keys();
    state.on(Object.keys(state.values), (values) => this.show(values));
    this.show(state.values);
  }

  show(values) {
    byId("fibre").value = values.fibre;
    for (const [list, mark] of Object.entries(LISTS)) {
      for (const box of all(`[data-${mark}]`)) box.checked = values[list].includes(box.dataset[mark]);
    }
    for (const name of ["smooth", "medium", "scale", "colour"]) if (byId(name)) byId(name).value = values[name];
    if (byId("z") && document.activeElement !== byId("z")) byId("z").value = values.z;
    if (byId("slide")) byId("slide").value = Math.log1p(values.z);
    if (byId("find").value !== values.find) byId("find").value = values.find;
    for (const button of all("button[data-type]")) {
      button.setAttribute("aria-pressed", String(values.types === null || values.types.includes(button.dataset.type)));
    }
    byId("pins").replaceChildren(...values.pins.map((pin) => this.pinned(pin)));
  }

  pinned(pin) {
    const button = document.createElement("button");
    const name = this.acts.nameOf(pin);
    button.type = "button";
    button.textContent = `${name} ✕`;
    button.setAttribute("aria-label", `Let go of ${name}`);
    button.onclick = () => this.state.set({ pins: this.state.get("pins").filter((one) => one !== pin) });
    return button;
  }

  lists() {
    for (const [list, mark] of Object.entries(LISTS)) {
      for (const box of all(`[data-${mark}]`)) box.onchange = () => this.state.toggle(list, box.dataset[mark], box.checked);
    }
    for (const button of all("[data-view]")) button.onclick = () => this.state.set({ view: button.dataset.view });
  }

  types() {
    const letters = all("button[data-type]").map((button) => button.dataset.type);
    for (const button of all("button[data-type]")) {
      button.onclick = () => {
        const now = letters.filter((one) => this.state.get("types")?.includes(one) ?? true);
        const own = button.dataset.type;
        const next = now.includes(own) ? now.filter((one) => one !== own) : [...now, own];
        this.state.set({ types: next.length === letters.length ? null : next.join("") });
      };
    }
  }

  fields(count) {
    byId("smooth").onchange = (event) => this.state.set({ smooth: Number(event.target.value) });
    for (const name of ["scale", "colour"]) byId(name).onchange = (event) => this.state.set({ [name]: event.target.value });
    // The range that is seen is one of wavelengths in the other medium.
    if (byId("medium")) byId("medium").onchange = (event) => this.state.set({ medium: event.target.value, range: null });
    byId("previous").onclick = () => this.acts.move(-1);
    byId("next").onclick = () => this.acts.move(1);
    byId("whole").onclick = () => this.acts.whole();
    byId("pin").onclick = () => this.pin();
    byId("fibre").onchange = (event) => {
      const wanted = Math.round(Number(event.target.value));
      if (wanted >= 1 && wanted <= count) this.state.set({ fibre: wanted });
      else event.target.value = this.state.get("fibre");
    };
    byId("find").oninput = (event) => this.state.set({ find: event.target.value });
    byId("find").addEventListener("keydown", (event) => {
      if (event.key === "Enter") this.acts.first(event.target.value.trim());
    });
  }

  redshift() {
    if (!byId("z")) return;
    byId("z").oninput = (event) => {
      if (event.target.value !== "" && Number.isFinite(Number(event.target.value))) this.shift(Number(event.target.value));
    };
    byId("slide").oninput = (event) => this.shift(Math.expm1(Number(event.target.value)));
    const named = ["Ca K", "Ca H", "Mg b", "Na D", "Ca II"];
    for (const [name, rest] of [...EMISSION, ...ABSORPTION.filter(([name]) => named.includes(name))]) {
      byId("anchor").append(new Option(`${name} ${rest.toFixed(0)}`, rest));
    }
  }

  shift(z) { if (byId("z")) this.state.set({ z: boundedZ(z) }); }

  pin() {
    const { product, fibre, pins } = this.state.values;
    if (pins.length >= MOST_PINS || pins.some((one) => one.product === product && one.fibre === fibre)) return;
    this.state.set({ pins: [...pins, { product, fibre }] });
  }

  keys() {
    this.keyed = {
      ArrowLeft: () => this.acts.move(-1), ArrowRight: () => this.acts.move(1), "/": () => byId("find").focus(),
      o: () => this.acts.open(), p: () => this.pin(), 0: () => this.acts.whole(),
      "[": () => this.shift(this.state.get("z") - NUDGE), "]": () => this.shift(this.state.get("z") + NUDGE),
    };
    document.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      if (event.target.closest('dialog, input:not([type="checkbox"]), select, textarea')) return;
      if (this.press(event.key)) event.preventDefault();
    });
  }

  // What a key does, pressed here or in the frame with the sky; whether it does anything.
  press(key) {
    this.keyed[key]?.();
    return key in this.keyed;
  }
}
