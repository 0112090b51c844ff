// Draws a scene with plotly.
import { labelled } from "./lines.js";
import { styleOf } from "./spectrum.js";
import { band, thinned } from "./traces.js";

const CONFIG = {
  displaylogo: false, responsive: true, doubleClick: false,
  modeBarButtonsToRemove: ["select2d", "lasso2d", "autoScale2d", "toImage", "resetScale2d"],
};

export class PlotlyChart {
  // `on` has range(range or null), frame(y range or null) and click(x).
  constructor(box, on) {
    this.box = box;
    this.on = on;
    this.plotly = window.Plotly;
    this.ready = false;
  }

  draw(scene) {
    this.scene = scene;
    const work = this.ready ? this.plotly.react : this.plotly.newPlot;
    const done = work(this.box, this.traces(scene), this.layout(scene), CONFIG);
    if (!this.ready) {
      this.ready = true;
      this.box.on("plotly_relayout", (change) => this.moved(change));
      this.box.on("plotly_click", (event) => this.on.click(event.points[0].x));
      this.box.on("plotly_doubleclick", () => { this.on.frame(null); this.on.range(null); });
    }
    return done;
  }

  traces(scene, columns = this.box.clientWidth) {
    // What may be dragged into view is there too.
    const [low, high] = scene.xRange;
    const around = [low - (high - low), high + (high - low)];
    const inside = Math.max(low, scene.whole[0]) < Math.min(high, scene.whole[1]) && high - low < scene.whole[1] - scene.whole[0];
    const most = (inside ? 3 : 1) * Math.max(columns, 300);
    const theme = document.documentElement.dataset.theme;
    const style = getComputedStyle(document.documentElement);
    const traces = [];
    if (scene.outline) {
      const { x, y } = band(scene.outline, around, most);
      traces.push({
        type: "scatter", mode: "lines", x, y, fill: "toself", hoverinfo: "skip",
        fillcolor: style.getPropertyValue("--plot-band").trim(), line: { width: 0 }, showlegend: false, name: "error",
      });
    }
    for (const curve of scene.curves) {
      const { colour, width, dash } = styleOf(curve, theme);
      const { x, y } = thinned(curve, around, most);
      traces.push({
        type: "scatter", mode: "lines", x, y, name: curve.name, line: { color: colour, width, dash },
        hovertemplate: "%{x:.1f}  %{y:.4~g}<extra></extra>",
      });
    }
    for (const { set, lines } of scene.markers) {
      const [x, y] = [[], []];
      for (const { at } of lines) { x.push(at, at, null); y.push(0, 1, null); }
      traces.push({
        type: "scatter", mode: "lines", x, y, yaxis: "y2", hoverinfo: "skip", showlegend: false, name: set,
        line: { width: 1, color: style.getPropertyValue(`--line-${set}`).trim(), dash: set === "absorption" ? "dash" : "dot" },
      });
    }
    return traces;
  }

  layout(scene) {
    const style = getComputedStyle(document.documentElement);
    const colour = (name) => style.getPropertyValue(`--${name}`).trim();
    const axis = {
      gridcolor: colour("plot-grid"), zerolinecolor: colour("line"), linecolor: colour("line"), ticks: "outside",
      tickcolor: colour("line"), automargin: false,
    };
    const labels = labelled(scene.markers, scene.xRange).map(({ name, at, set }) => ({
      x: at, y: 1, xref: "x", yref: "paper", text: name, textangle: -90, showarrow: false, yanchor: "top",
      xanchor: "right", font: { size: 10, color: colour(`line-${set}`) },
    }));
    return {
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", margin: { l: 64, r: 14, t: 28, b: 50 },
      font: { color: colour("muted"), size: 12, family: "system-ui, sans-serif" }, hovermode: "x", dragmode: "zoom",
      hoverlabel: { bgcolor: colour("raised"), bordercolor: colour("line"), font: { color: colour("text") } },
      showlegend: scene.curves.length > 1, legend: { orientation: "h", x: 0, y: 1.02, yanchor: "bottom", font: { size: 11 } },
      modebar: { color: colour("muted"), activecolor: colour("text"), bgcolor: "rgba(0,0,0,0)" },
      xaxis: { ...axis, range: scene.xRange, title: { text: scene.xTitle, standoff: 6 } },
      yaxis: { ...axis, range: scene.yRange, title: { text: scene.yTitle, standoff: 6 }, exponentformat: "power" },
      yaxis2: { overlaying: "y", range: [0, 1], visible: false, fixedrange: true },
      annotations: labels,
    };
  }

  moved(change) {
    const x = change["xaxis.range"] ?? [change["xaxis.range[0]"], change["xaxis.range[1]"]];
    const y = change["yaxis.range"] ?? [change["yaxis.range[0]"], change["yaxis.range[1]"]];
    if (y.every(Number.isFinite)) this.on.frame([...y]);
    if (x.every(Number.isFinite)) this.on.range([...x]);
  }

  // A picture of what is seen, as plotly's SVG over the page's ground.
  async image() {
    const ground = getComputedStyle(document.documentElement).getPropertyValue("--panel").trim();
    const { width, height } = this.box.getBoundingClientRect();
    const figure = { data: this.traces(this.scene, 4000), layout: { ...this.layout(this.scene), paper_bgcolor: ground, plot_bgcolor: ground, title: { text: this.scene.name, font: { size: 14 } }, margin: { l: 70, r: 20, t: 60, b: 50 } } };
    return this.plotly.toImage(figure, { format: "png", width: Math.max(900, width), height: Math.max(420, height), scale: 2 });
  }
}
