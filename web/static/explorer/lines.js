// Spectral lines. Wavelengths at rest in vacuum (Angstrom), of the NIST Atomic Spectra Database, and for the forbidden
// lines of nebulae and blends of galaxies those of the Sloan survey's line list. The night sky's stand in air, as
// observed.
import { toAir, toVacuum } from "./wavelengths.js";

export const EMISSION = [
  ["Lyα", 1215.67], ["N V", 1240.14], ["Si IV", 1396.76], ["C IV", 1549.06], ["He II", 1640.42], ["C III]", 1908.73],
  ["Mg II", 2799.12], ["[Ne V]", 3426.84], ["[O II]", 3727.09], ["[O II]", 3729.88], ["[Ne III]", 3869.86],
  ["He I", 3889.75], ["Hδ", 4102.89], ["Hγ", 4341.68], ["[O III]", 4364.44], ["He II", 4687.02], ["Hβ", 4862.68],
  ["[O III]", 4960.3], ["[O III]", 5008.24], ["He I", 5877.25], ["[O I]", 6302.05], ["[N II]", 6549.85], ["Hα", 6564.61],
  ["[N II]", 6585.28], ["[S II]", 6718.29], ["[S II]", 6732.67], ["[Ar III]", 7137.76], ["[S III]", 9071.1],
];

export const ABSORPTION = [
  ["Fe II", 2382.76], ["Fe II", 2600.17], ["Mg II", 2796.35], ["Mg II", 2803.53], ["Mg I", 2852.96], ["Ca K", 3934.78],
  ["Ca H", 3969.59], ["Hδ", 4102.89], ["G band", 4305.61], ["Hγ", 4341.68], ["Hβ", 4862.68], ["Mg b", 5168.76],
  ["Mg b", 5174.12], ["Mg b", 5185.05], ["Na D", 5891.58], ["Na D", 5897.56], ["Hα", 6564.61], ["Ca II", 8500.35],
  ["Ca II", 8544.44], ["Ca II", 8664.52],
];

export const NIGHT = [
  ["Hg", 4046.56], ["Hg", 4358.34], ["Hg", 5460.74], ["O I", 5577.34], ["Na D", 5892.94], ["O I", 6300.3],
  ["O I", 6363.78], ["B band", 6869], ["OH", 7276.41], ["A band", 7605], ["OH", 7913.71], ["OH", 8344.6], ["OH", 8399.17],
  ["OH", 8827.1], ["OH", 8885.85],
];

export const SETS = { emission: EMISSION, absorption: ABSORPTION, night: NIGHT };

// Where the lines of a set fall on an axis.
export function observed(set, redshift, medium) {
  if (set === "night") {
    return NIGHT.map(([name, air]) => ({ name, at: medium === "vacuum" ? toVacuum(air) : air }));
  }
  return SETS[set].map(([name, rest]) => {
    const vacuum = rest * (1 + redshift);
    return { name, at: medium === "vacuum" ? vacuum : toAir(vacuum) };
  });
}

// Redshift at which a line falls on an observed wavelength.
export function redshiftOf(rest, at, medium) {
  return (medium === "vacuum" ? at : toVacuum(at)) / rest - 1;
}

// Lines that have room for their name: of those closer than a part of the range, the first keeps it.
export function labelled(markers, [low, high], part = 0.011) {
  let last = -Infinity;
  return markers.flatMap(({ set, lines }) => lines.map((line) => ({ ...line, set })))
    .filter(({ at }) => at >= low && at <= high)
    .sort((a, b) => a.at - b.at)
    .filter(({ at }) => {
      const room = at - last >= part * (high - low);
      if (room) last = at;
      return room;
    });
}
