// From spectra to what is drawn: pure functions on arrays.

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

// Outline of the error band: forward along the top, back along the bottom, a gap wherever a value is missing.
export function band(x, values, sigma) {
  const px = [];
  const py = [];
  const count = values.length;
  const good = (i) => Number.isFinite(values[i]) && Number.isFinite(sigma[i]);
  for (let start = 0; start < count;) {
    if (!good(start)) { start += 1; continue; }
    let end = start;
    while (end < count && good(end)) end += 1;
    for (let i = start; i < end; i += 1) { px.push(x[i]); py.push(values[i] + sigma[i]); }
    for (let i = end - 1; i >= start; i -= 1) { px.push(x[i]); py.push(values[i] - sigma[i]); }
    px.push(NaN);
    py.push(NaN);
    start = end;
  }
  return { x: px, y: py };
}

// Range of the values seen that leaves out the worst pixels.
export function extent(curves, range) {
  const kept = [];
  for (const { x, y } of curves) {
    const step = Math.max(1, Math.floor(y.length / 4000));
    for (let i = 0; i < y.length; i += step) {
      if (Number.isFinite(y[i]) && (!range || (x[i] >= range[0] && x[i] <= range[1]))) kept.push(y[i]);
    }
  }
  if (!kept.length) return [0, 1];
  kept.sort((a, b) => a - b);
  const at = (part) => kept[Math.round(part * (kept.length - 1))];
  const whole = kept.length < 200;
  const [low, high] = [at(whole ? 0 : 0.004), at(whole ? 1 : 0.996)];
  const pad = 0.08 * (high - low) || 1;
  return [low - pad, high + pad];
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
