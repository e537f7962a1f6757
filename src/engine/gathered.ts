/** A look-up of one key that is gathered with all others of its turn of the event loop into one look-up of many, unless it is known already. */
export function gathered<Key, Found>(
  findMany: (keys: readonly Key[]) => Promise<ReadonlyMap<Key, Found>>,
  known?: (key: Key) => Found | undefined,
): (key: Key) => Promise<Found | undefined> {
  let keys: Key[] = [];
  let finding: Promise<ReadonlyMap<Key, Found>> | undefined;
  const turnEnd = async (): Promise<ReadonlyMap<Key, Found>> => {
    await new Promise(setImmediate);
    const gatheredKeys = keys;
    keys = [];
    finding = undefined;
    return await findMany(gatheredKeys);
  };
  // An async function would cost each key twice as much.
  return (key) => {
    const before = known?.(key);
    if (before !== undefined) return Promise.resolve(before);
    keys.push(key);
    finding ??= turnEnd();
    return finding.then((found) => found.get(key));
  };
}
