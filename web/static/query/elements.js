// Small elements that the page's lists are made of.

export function make(name, attributes = {}, ...inner) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value !== false && value !== null) made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...inner);
  return made;
}

export function button(text, work, attributes = {}) {
  const made = make("button", { type: "button", ...attributes }, text);
  made.addEventListener("click", work);
  return made;
}

export const stored = {
  read(key) {
    try { return localStorage.getItem(key); } catch { return null; }
  },
  write(key, text) {
    try { localStorage.setItem(key, text); } catch { /* Nothing is kept here, and nothing else is lost. */ }
  },
};
