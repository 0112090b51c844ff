// The sky behind the field: speaks with the frame in which Aladin Lite runs. When it is not there, or its images
// cannot be had, the plate takes its place and nothing is lost.

const PATIENCE = 60_000; // the plate is there meanwhile
const DEGREE = Math.PI / 180;

// Position on the sky of a place on the drawing: the inverse of the gnomonic projection.
export function skyOf({ xi, eta }, [ra0, dec0]) {
  const [x, y, d0] = [xi * DEGREE, eta * DEGREE, dec0 * DEGREE];
  const depth = Math.cos(d0) - y * Math.sin(d0);
  const ra = ra0 + Math.atan2(x, depth) / DEGREE;
  const dec = Math.atan2(Math.sin(d0) + y * Math.cos(d0), Math.hypot(x, depth)) / DEGREE;
  return [(ra + 360) % 360, dec];
}

export class Sky {
  // `on` has hover(fibre or null), choose(fibre), key(name), failed(reason), ready().
  constructor(frame, view, on) {
    this.frame = frame;
    this.view = view;
    this.on = on;
    this.state = "away";
    this.fibres = new Map(view.fibres.map((fibre) => [fibre.fibre, fibre]));
    addEventListener("message", (event) => {
      if (event.origin === location.origin && event.source === frame.contentWindow) this.take(event.data);
    });
  }

  start() {
    if (this.state !== "away") return;
    this.state = "starting";
    this.frame.src = this.frame.dataset.src;
    this.timer = setTimeout(() => this.fail("it does not answer"), PATIENCE);
  }

  fail(reason) {
    clearTimeout(this.timer);
    if (this.state === "failed") return;
    this.state = "failed";
    this.frame.removeAttribute("src");
    this.on.failed(reason);
  }

  take(message) {
    if (message.type === "loaded") {
      this.send({
        type: "field", centre: this.view.centre, colours: this.colours,
        fibres: this.view.fibres.map((fibre) => {
          const [ra, dec] = fibre.source === "sky" ? [fibre.ra, fibre.dec] : skyOf(fibre, this.view.centre);
          return { fibre: fibre.fibre, type: fibre.type, ra, dec };
        }),
      });
    } else if (message.type === "ready") {
      clearTimeout(this.timer);
      this.state = "ready";
      this.send({ type: "select", fibre: this.selected });
      this.send({ type: "keep", fibres: this.kept });
      this.on.ready();
    } else if (message.type === "failed") this.fail(String(message.reason));
    else if (message.type === "hover") this.on.hover(this.fibres.get(message.fibre) ?? null);
    else if (message.type === "choose" && this.fibres.has(message.fibre)) this.on.choose(this.fibres.get(message.fibre));
    else if (message.type === "key") this.on.key(String(message.key));
  }

  send(message) {
    this.frame.contentWindow?.postMessage(message, location.origin);
  }

  select(fibre) { this.selected = fibre?.fibre ?? null; this.tell({ type: "select", fibre: this.selected }); }
  hover(fibre) { this.tell({ type: "aim", fibre: fibre?.fibre ?? null }); }
  keep(numbers) { this.kept = [...numbers]; this.tell({ type: "keep", fibres: this.kept }); }
  paint(colours) {
    this.colours = { by: colours.by, fills: [...colours.fills] };
    this.tell({ type: "colours", colours: this.colours });
  }

  tell(message) { if (this.state === "ready") this.send(message); }
}
