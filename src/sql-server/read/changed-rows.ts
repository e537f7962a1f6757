import type { ChangedRow, ChangePlace } from "../../contracts/source.ts";
import { LLMEtlError } from "../../errors/llm-etl-error.ts";
import { keyAsGiven } from "../../engine/primary-key.ts";
import { toExactText } from "../../files/exact-text.ts";
import { KeySet } from "../../files/key-set.ts";
import { passingError } from "../error-meaning.ts";
import { changeBoundary } from "./change-boundary.ts";
import type { SQLServerChanges } from "./change-options.ts";
import {
  canGoOnBehind,
  type ChangeOrder,
  type ChangePart,
  changeQuery,
  greatestQuery,
  hasBound,
  type RowPlace,
  rowPlace,
} from "./change-order.ts";
import type { Finding } from "./find-rows.ts";
import { queryAround } from "./finding-query.ts";
import { type RawRow, type ReadOptions, ReadSession } from "./read-session.ts";
import { scanStatement } from "./statement.ts";

/** The statement whose changes are read. */
export interface Changing extends Omit<Finding, "paging"> {
  readonly changes: SQLServerChanges;
}

/**
 * The rows of a statement behind a place, or all, in the order of their places, and then those that have none. Each part of them is a
 * statement of its own; one that breaks is taken up behind its last row.
 *
 * A row that changes while the rows are read moves on to a greater value: it may come twice, or not at all. It is missed by none, for a change that
 * is committed after the reading began is not before the boundary, and so it is read by the next run, too. The second time it is left out here.
 */
export async function* changedRows(
  changing: Changing,
  since: string | undefined,
): AsyncGenerator<ChangedRow, void, undefined> {
  requireEveryRow(changing);
  const connection = changing.connect();
  const seen = new KeySet();
  try {
    const reading = { ...changing, connection };
    const order = await orderOf(reading);
    const boundary = await boundaryOf(reading, order);
    const from = since === undefined ? undefined : placeIn(since, boundary, changing.changes);
    let position = 0;
    let before: string | undefined;
    for (const part of boundary === undefined ? (["open", "none"] as const) : (["settled", "open", "none"] as const)) {
      for await (const [raw, at] of rowsOf(reading, order, { part, boundary, from })) {
        const isSecond = typeof at?.key === "string" && seen.add([toExactText(at.key)], position) !== undefined;
        const place = at === undefined ? null : changePlace(at, order, part === "settled");
        // Where it comes twice with one place, it is the statement that has a key twice.
        const hasMoved = isSecond && part === "open" && place?.exact !== before;
        before = place?.exact;
        if (hasMoved) continue;
        position += 1;
        yield { position, raw, place };
      }
    }
  } finally {
    seen.close();
    await connection.close();
  }
}

type Reading = Changing & Pick<ReadOptions, "connection">;

/** Hints under which a statement passes over rows that are there. */
const passingOver = ["NOLOCK", "READUNCOMMITTED", "READPAST"];

function requireEveryRow({ text, where, fail }: Changing): void {
  const { words } = scanStatement(text);
  const word = passingOver.find((each) => words.includes(each));
  if (word === undefined) return;
  const hint = `leave it out; or put a name like it in brackets: [${word}]`;
  const expected = "a query that reads every row which is committed";
  throw fail(`changes can't be read WITH (${word}): it may pass over rows`, { facts: { where, word, expected, hint } });
}

async function orderOf(reading: Reading): Promise<ChangeOrder> {
  const { primaryKeyColumn: keyColumn, changes } = reading;
  const { column } = changes;
  const required = { primaryKeyColumn: keyColumn, "changes.column": column };
  const { columns } = await new ReadSession({ ...reading, required }).describe();
  const types = new Map(columns.map(({ name, type }) => [name, type]));
  const [columnType, keyType] = [types.get(column), types.get(keyColumn)];
  if (columnType === undefined || keyType === undefined) throw new TypeError("a column is gone that was there");
  return { column, columnType, keyColumn, keyType };
}

async function boundaryOf(reading: Reading, order: ChangeOrder): Promise<string | undefined> {
  const { where, fail } = reading;
  const first = async (options: Partial<ReadOptions>): Promise<RawRow> => {
    for await (const row of new ReadSession({ ...reading, required: {}, ...options }).readAll()) return row;
    return {};
  };
  const boundary = await changeBoundary(reading.changes, order, {
    where,
    fail,
    ask: async (name, text) => await first({ where: name, text, parameters: [] }),
    greatest: async () => (await first({ text: around(reading, greatestQuery(order.column)) }))["greatest"],
  });
  return boundary !== undefined && hasBound(order.columnType, boundary) ? boundary : undefined;
}

function around({ text, where, fail }: Changing, outer: string): string {
  const query = queryAround(text, outer);
  if (query !== undefined) return query;
  const expected = "a query that can be a part of another one: without FOR XML or FOR JSON";
  throw fail(`the changes of ${where} can't be read`, { facts: { where, expected } });
}

interface PartOfRows {
  readonly part: ChangePart;
  readonly boundary: string | undefined;
  readonly from: RowPlace | undefined;
}

/** The rows of a part, with their places. After a break they go on behind the last one. */
async function* rowsOf(
  reading: Reading,
  order: ChangeOrder,
  { part, boundary, from }: PartOfRows,
): AsyncGenerator<readonly [raw: RawRow, at: RowPlace | undefined], void, undefined> {
  let last = part === "settled" ? from : undefined;
  for (;;) {
    const { outer, bounds } = changeQuery(order, part, boundary, last);
    const text = around(reading, outer);
    const parameters = [...reading.parameters, ...bounds];
    let isBehind = false;
    try {
      for await (const raw of new ReadSession({ ...reading, text, parameters, required: {} }).readAll()) {
        const at = rowPlace(raw, order);
        last = at ?? { value: "", key: keyAsGiven(raw, order.keyColumn) ?? null };
        isBehind = canGoOnBehind(last, order, part);
        yield [raw, at];
        reading.signal.throwIfAborted();
      }
      return;
    } catch (error) {
      const isBreak = error instanceof LLMEtlError && passingError(error.cause) !== undefined;
      if (!isBreak || !isBehind) throw error;
    }
  }
}

function changePlace({ value, key }: RowPlace, { columnType }: ChangeOrder, isSettled: boolean): ChangePlace {
  const isBytes = columnType.name === "timestamp" || columnType.name === "rowversion";
  const shown = isBytes ? `0x${value.toUpperCase()}` : value.replace(/Z$/, ""); // a DATETIME has no time zone
  return { exact: JSON.stringify([value, key]), shown, isSettled };
}

/** Undefined for a place that the database has not come to: it was put back to an earlier state, and all is read. */
function placeIn(text: string, boundary: string | undefined, { by }: SQLServerChanges): RowPlace | undefined {
  const [value, key = null]: readonly [string, (string | null)?] = JSON.parse(text); // as it was given
  const isAhead = by === "rowversion" && boundary !== undefined && value >= boundary;
  return isAhead ? undefined : { value, key };
}
