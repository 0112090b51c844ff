// Finds header cards by name or value.
const rows = [...document.querySelectorAll("#header tr")];
const texts = rows.map((row) => row.textContent.toLowerCase());
const found = document.getElementById("found");

document.getElementById("find").addEventListener("input", (event) => {
  const wanted = event.target.value.trim().toLowerCase();
  let count = 0;
  rows.forEach((row, index) => {
    row.hidden = !texts[index].includes(wanted);
    count += row.hidden ? 0 : 1;
  });
  found.textContent = `${count} cards`;
});
