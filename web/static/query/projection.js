// The sky on paper. Angles in radians; x grows to the right (west) and y upwards, both about the centre. Pure.

const TURN = 2 * Math.PI;
const wrapped = (angle) => angle - TURN * Math.round(angle / TURN);

// Mollweide's projection of the whole sky: x within -2 to 2 and y within -1 to 1, centred on a right ascension.
export function mollweide(ra, dec, centre = Math.PI) {
  let theta = dec;
  const target = Math.PI * Math.sin(dec);
  if (Math.abs(dec) < Math.PI / 2 - 1e-9) {
    for (let step = 0; step < 50; step += 1) {
      const change = (2 * theta + Math.sin(2 * theta) - target) / (2 + 2 * Math.cos(2 * theta));
      theta -= change;
      if (Math.abs(change) < 1e-9) break;
    }
  }
  return [-(2 / Math.PI) * wrapped(ra - centre) * Math.cos(theta), Math.sin(theta)];
}

// Zenithal equidistant projection about a place: distances from it are true, in radians.
export function around(ra, dec, ra0, dec0) {
  const away = wrapped(ra - ra0);
  const cosine = Math.sin(dec0) * Math.sin(dec) + Math.cos(dec0) * Math.cos(dec) * Math.cos(away);
  const east = Math.cos(dec) * Math.sin(away);
  const north = Math.cos(dec0) * Math.sin(dec) - Math.sin(dec0) * Math.cos(dec) * Math.cos(away);
  const length = Math.hypot(east, north);
  if (length < 1e-15) return [0, 0];
  const scale = Math.atan2(length, cosine) / length;
  return [-east * scale, north * scale];
}

// The middle of positions, and how far the farthest is from it; null when there is none, or when they have no middle.
export function middle(ras, decs) {
  const sum = [0, 0, 0];
  let count = 0;
  for (let i = 0; i < ras.length; i += 1) {
    if (!Number.isFinite(ras[i]) || !Number.isFinite(decs[i])) continue;
    sum[0] += Math.cos(decs[i]) * Math.cos(ras[i]);
    sum[1] += Math.cos(decs[i]) * Math.sin(ras[i]);
    sum[2] += Math.sin(decs[i]);
    count += 1;
  }
  if (!count || Math.hypot(...sum) < 1e-6 * count) return null;
  const ra = (Math.atan2(sum[1], sum[0]) + TURN) % TURN;
  const dec = Math.atan2(sum[2], Math.hypot(sum[0], sum[1]));
  let radius = 0;
  for (let i = 0; i < ras.length; i += 1) {
    if (!Number.isFinite(ras[i]) || !Number.isFinite(decs[i])) continue;
    radius = Math.max(radius, Math.hypot(...around(ras[i], decs[i], ra, dec)));
  }
  return { ra, dec, radius };
}

// Steps of an axis that people read easily.
export function ticks(low, high, about) {
  if (!(high > low)) return [low];
  const rough = (high - low) / about;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((one) => one * power).find((one) => one >= rough);
  const digits = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
  const found = [];
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + step * 1e-9; i += 1) found.push(Number((i * step).toFixed(Math.min(digits, 20))));
  return found;
}
