import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { RowUse } from "../../contracts/journal.ts";
import { toExactText } from "../../files/exact-text.ts";
import { keyOfSink } from "./schema.ts";

/** A SHA-256, in bytes. */
const fingerprintBytes = 32;

/** The answers that each row used last. `save` is to be called in a transaction. */
export class UsedAnswers {
  readonly #find: StatementSync;
  readonly #save: StatementSync;
  #sink: { readonly identity: string; readonly key: Buffer } | undefined;

  constructor(database: DatabaseSync) {
    this.#find = database.prepare("SELECT fingerprints FROM used_answers WHERE sink = ? AND pk = ?");
    this.#save = database.prepare("INSERT OR REPLACE INTO used_answers VALUES (?, ?, ?)");
  }

  find(sink: string, pk: string): readonly string[] | undefined {
    const found = this.#find.get(this.#keyOf(sink), toExactText(pk))?.["fingerprints"];
    if (!(found instanceof Uint8Array)) return undefined;
    const digits = Buffer.from(found.buffer, found.byteOffset, found.byteLength).toString("hex");
    const length = 2 * fingerprintBytes;
    return Array.from({ length: digits.length / length }, (_, index) =>
      digits.slice(index * length, (index + 1) * length),
    );
  }

  save(sink: string, { pk, fingerprints }: RowUse): void {
    this.#save.run(this.#keyOf(sink), toExactText(pk), Buffer.from(fingerprints.join(""), "hex"));
  }

  #keyOf(identity: string): Buffer {
    if (this.#sink?.identity !== identity) this.#sink = { identity, key: keyOfSink(identity) };
    return this.#sink.key;
  }
}
