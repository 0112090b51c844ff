// What columns hold, and how their values are written. Pure.

const NUMBERS = new Set(["unsignedByte", "short", "int", "long", "float", "double"]);
const SITE = "Australia/Sydney";
const clock = new Intl.DateTimeFormat("en-AU", { timeZone: SITE, hour: "2-digit", minute: "2-digit", hourCycle: "h23" });

export const isNumber = (column) => NUMBERS.has(column.datatype) && !column.arraysize;
const isLink = (column) => (column.ucd ?? "").includes("meta.ref.url") || column.name.toLowerCase() === "access_url";
const isMoment = (column) => column.xtype === "timestamp";
const isDay = (column) => isNumber(column) && column.unit === "d" && /^time\.(start|end|epoch)/.test(column.ucd ?? "");

export function kindOf(column) {
  if (isLink(column)) return "link";
  if (isMoment(column)) return "moment";
  if (isDay(column)) return "day";
  return isNumber(column) ? "number" : "text";
}

// A whole number that doubles cannot hold stays the text that it came as.
export function read(text) {
  if (!/[[,]-?\d{16,}[,\]]/.test(text)) return JSON.parse(text);
  return JSON.parse(text, (_key, value, context) => (
    typeof value === "number" && Number.isInteger(value) && !Number.isSafeInteger(value) && context?.source ? context.source : value
  ));
}

export function written(value) {
  if (value === null || value === undefined) return "";
  return Array.isArray(value) ? value.map(written).join(" ") : String(value);
}

const MJD_OF_1970 = 40587;

// The same moment as people at the telescope say it; empty where there is none.
export function beside(kind, value) {
  if (value === null || value === undefined) return "";
  if (kind === "moment") {
    const moment = new Date(`${String(value).replace(" ", "T").replace(/Z$/, "")}Z`);
    return Number.isNaN(moment.valueOf()) ? "" : `${clock.format(moment)} Sydney`;
  }
  if (kind === "day" && value > 15000 && value < 120000) {
    const moment = new Date((value - MJD_OF_1970) * 86_400_000);
    return `${moment.toISOString().slice(0, 16).replace("T", " ")} UT, ${clock.format(moment)} Sydney`;
  }
  return "";
}

export const webAddress = (value) => typeof value === "string" && /^https?:\/\//i.test(value);

// Order of rows by a column; empty ones come last in either direction.
export function order(rows, index, down) {
  const texts = new Intl.Collator("en", { numeric: true });
  const sign = down ? -1 : 1;
  const compare = (one, other) => (typeof one === "number" && typeof other === "number" ? one - other : texts.compare(written(one), written(other)));
  return rows.map((_row, i) => i).sort((i, j) => {
    const [one, other] = [rows[i][index], rows[j][index]];
    if (one === null || other === null) return (one === null) - (other === null) || i - j;
    return sign * compare(one, other) || i - j;
  });
}

const main = (column) => ((column.ucd ?? "").includes("meta.main") ? 1 : 0);
const DEGREES = new Set(["deg", undefined, ""]);

// Columns of a position: {ra, dec}, indices, or {point}; null where there is none.
export function position(columns) {
  const named = (ucd, names) => {
    const fits = columns
      .map((column, index) => ({ column, index }))
      .filter(({ column }) => isNumber(column) && DEGREES.has(column.unit));
    const byUcd = fits.filter(({ column }) => (column.ucd ?? "").startsWith(ucd)).sort((one, other) => main(other.column) - main(one.column));
    return (byUcd[0] ?? names.map((name) => fits.find(({ column }) => column.name.toLowerCase() === name)).find(Boolean))?.index;
  };
  const ra = named("pos.eq.ra", ["s_ra", "ra", "raj2000", "ra_icrs", "radeg"]);
  const dec = named("pos.eq.dec", ["s_dec", "dec", "dej2000", "dec_icrs", "dedeg", "decdeg"]);
  if (ra !== undefined && dec !== undefined) return { ra, dec };
  const point = columns.findIndex((column) => column.xtype === "point" || column.xtype === "circle");
  return point < 0 ? null : { point };
}
