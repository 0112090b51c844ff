// Products chosen for a download: all at once, how many, how large.

const form = document.getElementById("choose");
const boxes = [...form.querySelectorAll("input[name=product]")];
const all = form.querySelector("[data-f=all]");
const told = form.querySelector("[data-f=told]");
const button = form.querySelector("button[type=submit]");

function size(bytes) {
  for (const unit of ["B", "kB", "MB"]) {
    if (bytes < 1000) return `${unit === "B" ? bytes : bytes.toFixed(1)} ${unit}`;
    bytes /= 1000;
  }
  return `${bytes.toFixed(1)} GB`;
}

function tell() {
  const chosen = boxes.filter((box) => box.checked);
  const bytes = chosen.reduce((sum, box) => sum + Number(box.dataset.size), 0);
  const most = Number(form.dataset.most);
  all.checked = chosen.length > 0 && chosen.length === boxes.length;
  all.indeterminate = chosen.length > 0 && !all.checked;
  button.disabled = chosen.length === 0 || chosen.length > most;
  told.textContent =
    chosen.length > most ? `${chosen.length} chosen; at most ${most} go into one download` :
    chosen.length ? `${chosen.length} chosen, ${size(bytes)}` : "Choose products to download them together";
}

all.closest("label").hidden = false;
all.addEventListener("change", () => {
  for (const box of boxes) box.checked = all.checked;
  tell();
});
form.addEventListener("change", tell);
// A page that is come back to keeps what was chosen.
addEventListener("pageshow", tell);
tell();
