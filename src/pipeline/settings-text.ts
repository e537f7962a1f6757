/**
 * A text of all that a value holds, equal for equal values: functions by their source texts, Zod schemas by their definitions, providers by
 * their fingerprints. What a function closes over is not seen.
 */
export function settingsText(value: unknown): string {
  return JSON.stringify(describe(value, []));
}

function describe(value: unknown, above: readonly object[]): unknown {
  if (typeof value === "function") return ["function", String(value)];
  if (typeof value === "number") return Number.isFinite(value) ? value : ["number", String(value)];
  if (typeof value === "bigint" || typeof value === "symbol") return [typeof value, String(value)];
  if (typeof value !== "object" || value === null) return value ?? null;
  const depth = above.indexOf(value);
  if (depth !== -1) return ["above", depth];
  const path = [...above, value];
  const own = describeOwn(value);
  if (own !== undefined) return own;
  if (Array.isArray(value)) return ["list", ...value.map((item) => describe(item, path))];
  if (value instanceof Map || value instanceof Set) {
    return [value.constructor.name, ...[...value].map((item: unknown) => describe(item, path))];
  }
  const definition = definitionOf(value);
  const entries = Object.entries(definition ?? value).toSorted(([one], [other]) => (one < other ? -1 : 1));
  return ["object", ...entries.map(([name, item]) => [name, describe(item, path)])];
}

/** Of a value that is more than its properties; undefined of others. */
function describeOwn(value: object): unknown {
  if (value instanceof Date) return ["date", value.getTime()];
  if (value instanceof RegExp || value instanceof URL) return ["text", String(value)];
  if (value instanceof Uint8Array) return ["bytes", Buffer.from(value).toString("hex")];
  const fingerprint: unknown = "complete" in value && "fingerprint" in value ? value.fingerprint : undefined;
  return typeof fingerprint === "function" ? ["provider", String(Reflect.apply(fingerprint, value, []))] : undefined;
}

/** The definition of a Zod schema, or of one of its checks, with its description: the rest is made of it, some of it only when it is used. */
function definitionOf(value: object): object | undefined {
  const inner: unknown = "_zod" in value ? value._zod : undefined;
  if (typeof inner !== "object" || inner === null || !("def" in inner)) return undefined;
  const { def } = inner;
  if (typeof def !== "object" || def === null) return undefined;
  const described: unknown = "meta" in value && typeof value.meta === "function" ? value.meta() : undefined;
  return { ...def, meta: described };
}
