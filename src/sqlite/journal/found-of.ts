/** By key, what a look-up of one finds. */
export function foundOf<Found>(
  keys: readonly string[],
  find: (key: string) => Found | undefined,
): ReadonlyMap<string, Found> {
  const found = new Map<string, Found>();
  for (const key of keys) {
    const one = find(key);
    if (one !== undefined) found.set(key, one);
  }
  return found;
}
