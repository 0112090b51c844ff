// Takes what is shown along: as numbers, as a picture, as a link.

function save(name, href) {
  const link = document.createElement("a");
  link.href = href;
  link.download = name;
  document.body.append(link);
  link.click();
  link.remove();
}

const safe = (text) => text.replace(/[^A-Za-z0-9.+-]+/g, "_").replace(/^[._-]+|[._-]+$/g, "").slice(0, 80) || "spectrum";

// A cell that begins like a formula would be one in a spreadsheet.
export function cell(text) {
  const guarded = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\n\r]/.test(guarded) ? `"${guarded.replaceAll('"', '""')}"` : guarded;
}

// Curves of a scene as a table: one block below the other, because axes may differ.
export function csvOf(scene, link) {
  const lines = [`# ${link}`, `# ${scene.xTitle}; ${scene.yTitle}`, "curve,x,y"];
  for (const curve of scene.curves) {
    const name = cell(curve.kind === "flux" || curve.kind === "over" ? curve.name : `${scene.name}: ${curve.name}`);
    for (let i = 0; i < curve.y.length; i += 1) {
      if (curve.x[i] < scene.xRange[0] || curve.x[i] > scene.xRange[1]) continue;
      lines.push(`${name},${curve.x[i].toFixed(4)},${Number.isFinite(curve.y[i]) ? Number(curve.y[i].toPrecision(7)) : ""}`);
    }
  }
  return `${lines.join("\n")}\n`;
}

export function saveCsv(scene, link) {
  const address = URL.createObjectURL(new Blob([csvOf(scene, link)], { type: "text/csv" }));
  save(`${safe(scene.name)}.csv`, address);
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}

export async function savePng(chart, scene) {
  save(`${safe(scene.name)}.png`, await chart.image());
}

// Clipboards are for pages that came by HTTPS or from this machine; elsewhere the link is put where it can be copied.
export async function copyLink(link) {
  try {
    await navigator.clipboard.writeText(link);
    return "The link is copied: it shows what you see.";
  } catch {
    return `The link to what you see: ${link}`;
  }
}
