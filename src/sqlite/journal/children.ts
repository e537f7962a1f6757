import type { DatabaseSync } from "node:sqlite";
import type { RowChildren } from "../../contracts/journal.ts";
import { toExactText } from "../../files/exact-text.ts";
import { keyOfSink } from "./schema.ts";

/** The rows of targets by the row that they are of. `save` is to be called in a transaction. */
export class Children {
  readonly #statements: ReturnType<typeof prepare>;

  constructor(database: DatabaseSync) {
    this.#statements = prepare(database);
  }

  find(sink: string, pk: string): readonly string[] | undefined {
    const line = this.#statements.find.get(keyOfSink(sink), toExactText(pk));
    return line === undefined ? undefined : JSON.parse(String(line["children"]));
  }

  save(sink: string, { pk, children }: RowChildren): void {
    this.#statements.save.run(keyOfSink(sink), toExactText(pk), JSON.stringify(children));
  }
}

function prepare(database: DatabaseSync) {
  return {
    find: database.prepare("SELECT children FROM children WHERE sink = ? AND pk = ?"),
    save: database.prepare("INSERT OR REPLACE INTO children VALUES (?, ?, ?)"),
  };
}
