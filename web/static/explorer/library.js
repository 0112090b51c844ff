// Spectra and plates from the server, each asked for once. A spectrum comes as arrays: web/explorer/arrays.py.

const KEPT_MOST = 160;
const PATIENCE = 20_000;
const MAGIC = 0x53574150; // "PAWS", little-endian

export function decode(buffer) {
  const view = new DataView(buffer);
  if (view.byteLength < 8 || view.getUint32(0, true) !== MAGIC) throw new Error("the server's answer is no spectrum");
  const length = view.getUint32(4, true);
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 8, length)));
  let offset = 8 + length;
  const spectrum = { ...header };
  spectrum.rawFrom = header.raw;
  delete spectrum.raw;
  for (const name of header.planes) {
    const Kind = name === "x" ? Float64Array : Float32Array;
    spectrum[name] = new Kind(buffer, offset, header.samples);
    offset += spectrum[name].byteLength;
  }
  spectrum.x ??= axis(header.start, header.step, header.samples);
  return spectrum;
}

// One array serves all spectra of a product.
const axes = new Map();
function axis(start, step, samples) {
  const key = `${start} ${step} ${samples}`;
  if (!axes.has(key)) axes.set(key, Float64Array.from({ length: samples }, (_, i) => start + i * step));
  return axes.get(key);
}

async function ask(address) {
  const answer = await fetch(address, { signal: AbortSignal.timeout(PATIENCE) });
  if (answer.ok) return answer;
  const problem = await answer.json().catch(() => ({}));
  throw new Error(problem.detail ?? `the server answered ${answer.status}`);
}

export class Library {
  constructor() { this.kept = new Map(); }

  once(key, make) {
    if (!this.kept.has(key)) {
      const found = make();
      found.catch(() => this.kept.delete(key)); // asked again next time
      this.kept.set(key, found);
      if (this.kept.size > KEPT_MOST) this.kept.delete(this.kept.keys().next().value);
    }
    return this.kept.get(key);
  }

  spectrum(product, fibre) {
    return this.once(`${product}~${fibre}`, async () => {
      const answer = await ask(`/api/products/${encodeURIComponent(product)}/spectra/${fibre}/arrays`);
      return decode(await answer.arrayBuffer());
    });
  }

  plate(product) {
    return this.once(`plate ${product}`, async () => (await ask(`/api/products/${encodeURIComponent(product)}/plate`)).json());
  }

  figures(product) {
    return this.once(`figures ${product}`, async () => (await ask(`/api/products/${encodeURIComponent(product)}/figures`)).json());
  }

  // The same target in another product. Rows agree between arms and exposures; combined products may have rows of
  // their own, so the name decides where it is one of a kind.
  async counterpart(product, fibre) {
    const { fibres } = await this.plate(product);
    const named = fibre.name ? fibres.filter((one) => one.name === fibre.name) : [];
    const found = named.find((one) => one.fibre === fibre.fibre) ?? named[0]
      ?? (fibre.name ? null : fibres.find((one) => one.fibre === fibre.fibre && one.type === fibre.type));
    return found ? this.spectrum(product, found.fibre) : null;
  }
}
