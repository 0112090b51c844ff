// What every page has: the look without a new load, keys that lead elsewhere, fields that select themselves.

const root = document.documentElement;
const looks = [...document.querySelectorAll("[data-look]")];
const YEAR = 31_536_000;

export function setLook(name) {
  root.dataset.theme = name;
  document.cookie = `paws_theme=${name}; path=/; max-age=${YEAR}; SameSite=Lax${location.protocol === "https:" ? "; Secure" : ""}`;
  document.querySelector('meta[name="color-scheme"]').content = name === "light" ? "light" : "dark";
  for (const link of looks) {
    if (link.dataset.look === name) link.setAttribute("aria-current", "true");
    else link.removeAttribute("aria-current");
  }
  dispatchEvent(new Event("look"));
}

for (const link of looks) {
  link.addEventListener("click", (event) => {
    event.preventDefault();
    setLook(link.dataset.look);
  });
}

for (const field of document.querySelectorAll("[data-select]")) {
  field.addEventListener("focus", () => field.select());
}

// A form that is sent twice does its work twice.
document.addEventListener("submit", (event) => {
  if (event.target.method !== "post" || event.defaultPrevented) return;
  if (event.target.dataset.sent) { event.preventDefault(); return; }
  event.target.dataset.sent = "yes";
});
addEventListener("pageshow", () => {
  for (const form of document.forms) delete form.dataset.sent;
});

let leading = 0; // until when a letter after `g` leads to a page
const LEAD = 1500;

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest("input, select, textarea")) {
    if (event.key === "Escape") event.target.blur();
    return;
  }
  if (performance.now() < leading) {
    leading = 0;
    const link = document.querySelector(`[data-key="${CSS.escape(event.key)}"]`);
    // Pages have letters of their own: this one is taken.
    event.stopImmediatePropagation();
    event.preventDefault();
    if (link) location.assign(link.href);
  } else if (event.key === "g") {
    leading = performance.now() + LEAD;
  } else if (event.key === "?") {
    location.assign("/keys");
  } else if (event.key === "t") {
    const now = looks.findIndex((link) => link.dataset.look === root.dataset.theme);
    setLook(looks[(now + 1) % looks.length].dataset.look);
  }
}, { capture: true });
