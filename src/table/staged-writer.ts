import type { StagedRow, StoredKey, TableColumn, TableWriter, Target, WriteContext, WriterErrors } from "./dialect.ts";

/** The SQL and the wire of one database, for batches that go by way of a temporary table. `Client` is a connection in a transaction. */
export interface StagedDatabase<Client, Column extends TableColumn<Value>, Value> {
  /** Does the work in one transaction: committed where it resolves to true, else rolled back. */
  readonly transaction: (work: (client: Client) => Promise<boolean>, leftMs?: number) => Promise<void>;
  /** Makes the temporary table, and loads the rows into it. `leftMs`: the longest wait for locks of others. */
  readonly stage: (client: Client, rows: readonly StagedRow<Value>[], leftMs?: number) => Promise<void>;
  /** Deletes the rows of the target that have the keys of staged rows, and does away with the stage. How many of them are still there. */
  readonly remove: (client: Client) => Promise<number>;
  /** Takes the staged rows into the target: how many were added or changed. */
  readonly take: (client: Client) => Promise<number>;
  /** The staged rows that the target has, by their place, each with its key as it is stored: a text as `TableKeys.parts` makes one. */
  readonly stored: (client: Client, by: Target<Column, Value>["columns"]) => Promise<ReadonlyMap<number, string>>;
  /** How many of the staged rows the target has, each value as staged: of a database whose triggers skip updates that change nothing. */
  readonly same?: (client: Client) => Promise<number>;
  readonly find: TableWriter<Column, Value>["find"];
}

/**
 * Writes each batch in one transaction, as a set.
 *
 * @param isExact the keys' own texts tell which are equal: what is stored is looked at only where rows are missing
 */
export function stagedWriter<Client, Column extends TableColumn<Value>, Value>(
  database: StagedDatabase<Client, Column, Value>,
  target: Target<Column, Value>,
  isExact: boolean,
  errors: WriterErrors,
): TableWriter<Column, Value> {
  const { table, columns, keys, hasGroups, strategy, proof } = target;
  const { transaction, stage, remove, take, stored, same, find } = database;

  async function removeGone(client: Client, gone: readonly StagedRow<Value>[], leftMs?: number): Promise<void> {
    await stage(client, gone, leftMs);
    if ((await remove(client)) > 0) throw errors.notDeleted(gone.length === 1 ? gone[0]?.values : undefined);
  }

  async function writeStaged(
    client: Client,
    rows: readonly StagedRow<Value>[],
    guard: WriteContext["guard"],
  ): Promise<void> {
    const got = await take(client);
    const isWhole = got === rows.length;
    if (isWhole && isExact) return;
    const found = keys.length === 0 ? undefined : await stored(client, keys);
    const missing = rows.find((_, index) => found?.has(index) === false);
    if (missing !== undefined && strategy === "update") throw errors.unknownKey(missing.values);
    const isOneKey = got > rows.length || new Set(found?.values()).size < rows.length;
    if (!isWhole && strategy === "update" && isOneKey) throw errors.sameKey(undefined);
    const mayKeep = columns.length === keys.length; // rows of keys alone, which are there already
    const mayBeSame = missing === undefined && found !== undefined;
    const isThere = isWhole || mayKeep || (mayBeSame && (await same?.(client)) === rows.length);
    if (missing !== undefined || !isThere) {
      const facts = { where: table.name, expected: rows.length, got };
      throw errors.leftOut(`a trigger or a policy of ${table.quoted} left out a row`, missing?.values, facts);
    }
    const texts = rows.map((_, index) => found?.get(index) ?? "");
    if (!isExact) guard(texts.map((text): StoredKey => ({ claimed: text, written: text })));
  }

  return {
    prove: async () => {
      await transaction(async (client) => {
        if (hasGroups) await removeGone(client, []);
        await stage(client, []);
        await take(client);
        if (keys.length > 0) await stored(client, keys);
        return false;
      });
    },
    write: async (rows, { gone, isInDoubt, guard, leftMs }) => {
      await transaction(async (client) => {
        if (gone.length > 0) await removeGone(client, gone, leftMs);
        if (rows.length === 0) return true;
        await stage(client, rows, leftMs);
        // All rows are there or none, since they were added in one transaction.
        if (isInDoubt && strategy === "insert" && (await stored(client, proof)).size === rows.length) return false;
        await writeStaged(client, rows, guard);
        return true;
      }, leftMs);
    },
    find,
  };
}
