import type { AnySource } from "../contracts/source.ts";

/** A source with the columns, the schema and the needs of another, and with rows of its own. */
export function sourceWith(source: AnySource, read: AnySource["read"]): AnySource {
  const { name, primaryKeyColumn, namesAreData, schema, requirements, files, databaseFiles } = source;
  return { name, primaryKeyColumn, namesAreData, schema, requirements, files, databaseFiles, read };
}
