// Selecting frames: the selection lasts while the tab does, over pages and questions; keys move and select.

const KEY = "paws-archive-selection";
const form = document.getElementById("selection");
const boxes = form ? [...form.querySelectorAll('input[name="frame"]')] : [];

function read() {
  try {
    const kept = JSON.parse(sessionStorage.getItem(KEY) ?? "[]");
    return new Set(Array.isArray(kept) ? kept.filter((one) => typeof one === "string") : []);
  } catch {
    return new Set(); // no storage here, or something else wrote there
  }
}

function write(chosen) {
  try {
    sessionStorage.setItem(KEY, JSON.stringify([...chosen]));
  } catch {
    // The selection of this page still counts.
  }
}

if (form && boxes.length) {
  const most = Number(form.dataset.most);
  const count = document.getElementById("chosen-count");
  const clear = document.getElementById("chosen-clear");
  const elsewhere = document.getElementById("chosen-elsewhere");
  const whole = document.getElementById("chosen-page");
  const submit = form.querySelector('button[type="submit"]');
  const here = new Set(boxes.map((box) => box.value));
  const chosen = read();
  let last = null;

  function show() {
    const away = [...chosen].filter((one) => !here.has(one)).length;
    count.textContent = chosen.size ? `${chosen.size} frame${chosen.size === 1 ? "" : "s"}` : "selected";
    submit.disabled = chosen.size === 0 || chosen.size > most;
    clear.hidden = chosen.size === 0;
    const text = chosen.size > most ? `Up to ${most} at once.` : away ? `${away} on other pages` : "";
    if (elsewhere.textContent !== text) elsewhere.textContent = text;
    const on = boxes.filter((box) => box.checked).length;
    whole.checked = on === boxes.length;
    whole.indeterminate = on > 0 && on < boxes.length;
  }

  function set(box, on) {
    box.checked = on;
    if (on) chosen.add(box.value);
    else chosen.delete(box.value);
  }

  function keep() {
    write(chosen);
    show();
  }

  for (const box of boxes) {
    box.checked = chosen.has(box.value);
    box.addEventListener("click", (event) => {
      const on = box.checked;
      const from = last === null ? -1 : boxes.indexOf(last);
      if (event.shiftKey && from >= 0) {
        const to = boxes.indexOf(box);
        for (const one of boxes.slice(Math.min(from, to), Math.max(from, to) + 1)) set(one, on);
      } else set(box, on);
      last = box;
      keep();
    });
  }
  whole.hidden = false;
  whole.addEventListener("click", () => {
    for (const box of boxes) set(box, whole.checked);
    keep();
  });
  clear.addEventListener("click", () => {
    chosen.clear();
    for (const box of boxes) box.checked = false;
    keep();
  });
  form.addEventListener("submit", () => {
    form.querySelectorAll("input[data-away]").forEach((field) => field.remove());
    for (const one of chosen) {
      if (here.has(one)) continue;
      const field = document.createElement("input");
      Object.assign(field, { type: "hidden", name: "frame", value: one });
      field.dataset.away = "";
      form.append(field);
    }
  });
  addEventListener("pageshow", (event) => {
    if (!event.persisted) return;
    const now = read();
    chosen.clear();
    for (const one of now) chosen.add(one);
    for (const box of boxes) box.checked = chosen.has(box.value);
    show();
  });
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest('input:not([type="checkbox"]), select, textarea')) return;
    const at = boxes.indexOf(document.activeElement);
    if (event.key === "j" || event.key === "k") {
      const next = boxes[Math.min(Math.max(at + (event.key === "j" ? 1 : -1), 0), boxes.length - 1)];
      next.focus();
      next.scrollIntoView({ block: "nearest" });
    } else if (event.key === "x" && at >= 0) {
      boxes[at].click();
    } else if (event.key === "a") {
      whole.click();
    } else return;
    event.preventDefault();
  });
  show();
}

document.addEventListener("keydown", (event) => {
  if (event.key !== "/" || event.target.closest("input, select, textarea")) return;
  const field = document.querySelector("[data-find]");
  if (!field) return;
  event.preventDefault();
  field.focus();
});
