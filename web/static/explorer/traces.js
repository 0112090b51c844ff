// From spectra to what is drawn: pure functions on arrays.

const LINES = 3; // times the range of the rest that a line may rise
const DIPS = 0.4; // and fall

// Mean over a window of pixels that have a value; the error of that mean with it.
export function smoothed(values, sigma, width) {
  if (width <= 1) return { values, sigma };
  const count = values.length;
  const half = Math.floor(width / 2);
  const sums = new Float64Array(count + 1);
  const squares = new Float64Array(count + 1);
  const good = new Float64Array(count + 1);
  for (let i = 0; i < count; i += 1) {
    const known = Number.isFinite(values[i]);
    sums[i + 1] = sums[i] + (known ? values[i] : 0);
    good[i + 1] = good[i] + (known ? 1 : 0);
    const error = known && sigma && Number.isFinite(sigma[i]) ? sigma[i] : 0;
    squares[i + 1] = squares[i] + error * error;
  }
  const mean = new Float32Array(count);
  const errors = sigma ? new Float32Array(count) : null;
  for (let i = 0; i < count; i += 1) {
    const from = Math.max(0, i - half);
    const to = Math.min(count, i + half + 1);
    const many = good[to] - good[from];
    mean[i] = many ? (sums[to] - sums[from]) / many : NaN;
    if (errors) errors[i] = many ? Math.sqrt(squares[to] - squares[from]) / many : NaN;
  }
  return { values: mean, sigma: errors };
}

// Median of the values that are there; of a sample of them, which is enough for a scale.
export function median(values) {
  const step = Math.max(1, Math.floor(values.length / 1500));
  const kept = [];
  for (let i = 0; i < values.length; i += step) if (Number.isFinite(values[i])) kept.push(values[i]);
  kept.sort((a, b) => a - b);
  return kept.length ? kept[Math.floor(kept.length / 2)] : NaN;
}

export function scaled(values, factor) {
  if (!values || factor === 1) return values;
  return values.map((value) => value * factor);
}

// Factor that brings a spectrum to a median of one; spectra about zero stay as they are.
export function factorOf(values) {
  const middle = Math.abs(median(values));
  return middle > 0 && Number.isFinite(middle) ? 1 / middle : 1;
}

// First index and the one after the last whose wavelengths lie in a range, with one more at either end.
function within(x, range) {
  if (!range) return [0, x.length];
  const [a, b] = [nearest(x, range[0]), nearest(x, range[1])];
  return [Math.max(0, Math.min(a, b) - 1), Math.min(x.length, Math.max(a, b) + 2)];
}

// The same line in fewer points: of the pixels that share a column of the screen, the lowest and the highest. What
// is drawn does not change; a gap stays one.
export function thinned({ x, y }, range, columns) {
  const [from, to] = within(x, range);
  const group = Math.floor((to - from) / columns);
  if (group < 3) return { x: x.subarray(from, to), y: y.subarray(from, to) };
  const [px, py] = [[], []];
  for (let start = from; start < to; start += group) {
    let [low, high, gap] = [-1, -1, false];
    for (let i = start; i < Math.min(to, start + group); i += 1) {
      if (!Number.isFinite(y[i])) { gap = true; continue; }
      if (low < 0 || y[i] < y[low]) low = i;
      if (high < 0 || y[i] > y[high]) high = i;
    }
    if (low >= 0) {
      for (const i of low === high ? [low] : [Math.min(low, high), Math.max(low, high)]) { px.push(x[i]); py.push(y[i]); }
    }
    if (gap) { px.push(x[start]); py.push(NaN); }
  }
  return { x: px, y: py };
}

// Outline of the error band: forward along the top, back along the bottom, a gap wherever a value is missing. Pixels
// that share a column of the screen give it their extremes.
export function band({ x, y, sigma }, range, columns) {
  const [from, to] = within(x, range);
  const group = Math.max(1, Math.floor((to - from) / columns));
  const [px, py] = [[], []];
  let run = [];
  const close = () => {
    for (const [at, , top] of run) { px.push(at); py.push(top); }
    for (const [at, bottom] of run.reverse()) { px.push(at); py.push(bottom); }
    if (run.length) { px.push(NaN); py.push(NaN); }
    run = [];
  };
  for (let start = from; start < to; start += group) {
    let [bottom, top] = [Infinity, -Infinity];
    for (let i = start; i < Math.min(to, start + group); i += 1) {
      if (!Number.isFinite(y[i]) || !Number.isFinite(sigma[i])) continue;
      bottom = Math.min(bottom, y[i] - sigma[i]);
      top = Math.max(top, y[i] + sigma[i]);
    }
    if (bottom <= top) run.push([x[start + (Math.min(group, to - start) >> 1)], bottom, top]);
    else close();
  }
  close();
  return { x: px, y: py };
}

// Middle of three: what a single bad pixel cannot move.
const middle = (a, b, c) => Math.max(Math.min(a, b), Math.min(Math.max(a, b), c));

// Range of the values seen: all of the spectrum's lines, but not its worst pixels. Where `cut` is given, without that
// part of the highest and lowest.
export function extent(curves, range, cut = null) {
  const kept = [];
  for (const { x, y, width = 1 } of curves) {
    // A bad pixel is as wide as what it was averaged over.
    const step = Math.max(width, Math.floor(y.length / 6000));
    for (let i = step; i < y.length - step; i += 1) {
      const value = middle(y[i - step], y[i], y[i + step]);
      if (Number.isFinite(value) && (!range || (x[i] >= range[0] && x[i] <= range[1]))) kept.push(value);
    }
  }
  if (!kept.length) return [0, 1];
  kept.sort((a, b) => a - b);
  const at = (part) => kept[Math.round(part * (kept.length - 1))];
  const [low, high] = [at(cut ?? 0.004), at(1 - (cut ?? 0.004))];
  // Lines that rise out of the rest are shown whole unless they would press it flat.
  const reach = cut === null ? high - low : 0;
  const top = Math.min(at(1), high + LINES * reach);
  const bottom = Math.max(at(0), low - DIPS * reach);
  const pad = 0.06 * (top - bottom) || 1;
  return [bottom - pad, top + pad];
}

// First and last wavelength at which any of the curves has a value.
export function span(curves) {
  let [low, high] = [Infinity, -Infinity];
  for (const { x, y } of curves) {
    let first = 0;
    let last = y.length - 1;
    while (first < last && !Number.isFinite(y[first])) first += 1;
    while (last > first && !Number.isFinite(y[last])) last -= 1;
    low = Math.min(low, x[first], x[last]);
    high = Math.max(high, x[first], x[last]);
  }
  return low < high ? [low, high] : null;
}

// Index of the value of an ordered axis that is nearest.
export function nearest(x, wanted) {
  let low = 0;
  let high = x.length - 1;
  const rising = x[high] >= x[low];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if ((x[middle] < wanted) === rising) low = middle;
    else high = middle;
  }
  return Math.abs(x[low] - wanted) <= Math.abs(x[high] - wanted) ? low : high;
}
