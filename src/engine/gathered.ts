/** A look-up of one key that is gathered with all others of its turn of the event loop into one look-up of many. */
export function gathered<Key, Found>(
  findMany: (keys: readonly Key[]) => Promise<ReadonlyMap<Key, Found>>,
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
    keys.push(key);
    finding ??= turnEnd();
    return finding.then((found) => found.get(key));
  };
}
