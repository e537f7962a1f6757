import type { AnySource, ReadContext, SourceRow } from "../contracts/source.ts";

/**
 * A primary key as text: a date as ISO 8601, bytes as hexadecimal digits. Undefined for a value that is no key: a blank text, null,
 * an object.
 */
export function keyText(value: unknown): string | undefined {
  if (typeof value === "string") return value.trim() === "" ? undefined : value;
  if (typeof value === "bigint" || typeof value === "boolean" || Number.isFinite(value)) return String(value);
  if (value instanceof Date && !Number.isNaN(value.getTime())) return value.toISOString();
  if (value instanceof Uint8Array && value.byteLength > 0) return Buffer.from(value).toString("hex");
  return undefined;
}

/** The primary key of a row as its source gave it; undefined where it has none, or throws when it is looked at. */
export function keyAsGiven(raw: Readonly<Record<string, unknown>>, column: string): string | undefined {
  try {
    return keyText(raw[column]);
  } catch {
    return undefined;
  }
}

/** The first row of each of these primary keys, found by reading a source once. It ends as soon as every key was found. */
export async function* scanForKeys(
  { read, primaryKeyColumn }: Pick<AnySource, "read" | "primaryKeyColumn">,
  pks: readonly string[],
  context: ReadContext,
): AsyncGenerator<SourceRow, void, undefined> {
  const wanted = new Set(pks);
  if (wanted.size === 0) return;
  for await (const row of read(context)) {
    const key = "error" in row ? undefined : keyAsGiven(row.raw, primaryKeyColumn);
    if (key === undefined || !wanted.delete(key)) continue;
    yield row;
    if (wanted.size === 0) return;
  }
}
