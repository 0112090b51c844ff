// Queries that were run before: values and what becomes of them. Pure.

export const MOST = 100;

// A list with one query more; the same text is not kept twice, and what is starred stays before what is not.
export function added(list, entry) {
  const before = list.find((one) => one.query === entry.query);
  const made = { ...entry, name: before?.name ?? "", star: before?.star ?? false };
  const all = [made, ...list.filter((one) => one !== before)];
  if (all.length <= MOST) return all;
  const plain = all.findLastIndex((one) => !one.star);
  return all.toSpliced(plain < 0 ? all.length - 1 : plain, 1);
}

export const changed = (list, query, change) => list.map((one) => (one.query === query ? { ...one, ...change } : one));
export const without = (list, query) => list.filter((one) => one.query !== query);
export const listed = (list) => [...list.filter((one) => one.star), ...list.filter((one) => !one.star)];

// What was kept, as far as it is what we keep: the browser's storage may hold anything.
export function understood(text) {
  try {
    const found = JSON.parse(text ?? "[]");
    return (Array.isArray(found) ? found : [])
      .filter((one) => typeof one?.query === "string")
      .slice(0, MOST)
      .map((one) => ({ query: one.query, name: String(one.name ?? ""), star: one.star === true, when: Number(one.when) || 0, told: String(one.told ?? "") }));
  } catch {
    return [];
  }
}
