import { compile } from "./compile.ts";
import type { Session } from "./database.ts";
import type { CompileContext, Compiled, Env, Scope, Source } from "./scope.ts";
import { SQLError } from "./sql-error.ts";
import type { Item } from "./syntax.ts";
import type { Change, Table, Values } from "./table.ts";
import type { ResultSet } from "./tokens.ts";

export interface Written {
  readonly count: number;
  readonly output?: ResultSet;
  /** Rows that IGNORE_DUP_KEY left out. */
  readonly ignored: boolean;
  readonly triggers: boolean;
}

export interface Effect {
  readonly action: "INSERT" | "UPDATE" | "DELETE";
  readonly change: Change;
  readonly source: Values;
}

/** Puts the changes in and makes the OUTPUT of them. */
export function finish(
  table: Table,
  effects: readonly Effect[],
  verb: "INSERT" | "UPDATE" | "MERGE" | "DELETE",
  items: readonly Item[],
  sources: readonly Source[],
  expressions: CompileContext,
  session: Session,
): Written {
  checkTable(table, items, verb, session);
  const changes = effects.map((effect) => effect.change);
  const applied = apply(table, changes, verb, session);
  const ignored = applied.size < changes.length;
  const done = effects.filter(({ change: one }) => applied.has(one));
  const written = { count: done.length, ignored, triggers: table.triggers };
  return items.length === 0 ? written : { ...written, output: outputOf(table, done, items, sources, expressions) };
}

function checkTable(table: Table, items: readonly Item[], verb: string, session: Session): void {
  if (table.triggers && items.length > 0) {
    throw new SQLError(
      334,
      `The target table '${table.qualifiedName}' of the DML statement cannot have any enabled triggers if the statement contains an OUTPUT clause without INTO clause.`,
    );
  }
  const off = ["QUOTED_IDENTIFIER", "ANSI_NULLS"].filter((option) => session.settings.get(option) === "OFF");
  if (table.wantsSettings && off.length > 0) {
    throw new SQLError(
      1934,
      `${verb} failed because the following SET options have incorrect settings: '${off.join(", ")}'.`,
    );
  }
}

/** The changes that were put in: all, but for those that IGNORE_DUP_KEY leaves out. */
export function apply(
  table: Table,
  changes: readonly Change[],
  verb: "INSERT" | "UPDATE" | "MERGE" | "DELETE",
  session: Session,
  skipChecks = false,
): Set<Change> {
  const applied = new Set<Change>();
  if (!table.indexes.some(({ ignoresDuplicates }) => ignoresDuplicates)) {
    table.apply(changes, verb, skipChecks);
    for (const one of changes) applied.add(one);
  } else {
    for (const one of changes) {
      try {
        table.apply([one], verb, skipChecks);
        applied.add(one);
      } catch (error) {
        if (!(error instanceof SQLError && (error.number === 2601 || error.number === 2627))) throw error;
      }
    }
  }
  for (const one of applied) session.transaction?.log.push(one); // not spread: there may be 100,000
  return applied;
}

function outputOf(
  table: Table,
  effects: readonly Effect[],
  items: readonly Item[],
  sources: readonly Source[],
  expressions: CompileContext,
): ResultSet {
  const columns = table.columns.map((column) => ({ ...column, nullable: true }));
  const action = { name: "$action", type: { name: "nvarchar", length: 10 }, nullable: false } as const;
  const scope: Scope = {
    sources: [
      { alias: "inserted", columns },
      { alias: "deleted", columns },
      { alias: "", columns: [action] },
      ...sources,
    ],
    group: { rows: undefined, used: false },
    windows: [],
  };
  const compiled = items.flatMap((item): Compiled[] => {
    if (item.kind === "value") {
      const value = compile(item.value, scope, expressions);
      return [{ ...value, name: item.name ?? value.name }];
    }
    return table.columns.map(({ name }) =>
      compile({ kind: "column", path: [item.of ?? "inserted", name] }, scope, expressions),
    );
  });
  const nothing: Values = table.columns.map(() => null);
  const rows = effects.map(({ change: { before, after }, action: verb, source }) => {
    const env: Env = [after ?? nothing, before ?? nothing, [verb], source];
    return compiled.map((one) => one.evaluate(env));
  });
  return { columns: compiled.map(({ name, type, nullable }) => ({ name, type, nullable })), rows };
}
