/** The source as one that can't find rows by key: a replay then takes them as they failed. */
export function withoutFind<Source extends { readonly find?: unknown }>(source: Source): Omit<Source, "find"> {
  const { find: _, ...others } = source;
  return others;
}
