// Air and vacuum. 2dFdr's wavelengths are in air.
//
// The refractive index is that of Ciddor 1996 (Applied Optics 35, 1566), dry air at 15 C, 101325 Pa and 450 ppm of
// carbon dioxide, valid from 2300 to 17000 Angstrom. Below 2000 Angstrom, where there is no air to look through,
// both are the same by the convention of spectroscopists.

const NO_AIR = 2000;

// Refractive index of air at a wavelength in vacuum (Angstrom).
export function index(vacuum) {
  const wavenumber2 = (1e4 / vacuum) ** 2; // per square micrometre
  return 1 + 0.05792105 / (238.0185 - wavenumber2) + 0.00167917 / (57.362 - wavenumber2);
}

export function toAir(vacuum) {
  return vacuum < NO_AIR ? vacuum : vacuum / index(vacuum);
}

// The index is a function of the wavelength in vacuum, so it is found in steps; two leave less than 1e-7 Angstrom.
export function toVacuum(air) {
  if (air < NO_AIR) return air;
  let vacuum = air * index(air);
  for (let step = 0; step < 2; step += 1) vacuum = air * index(vacuum);
  return vacuum;
}

export function axisIn(medium, values) {
  return medium === "vacuum" ? Float64Array.from(values, toVacuum) : values;
}
