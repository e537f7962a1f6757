import assert from "node:assert/strict";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { Pipeline, type RunEvent, TransformStep } from "../../src/index.ts";
import { SQLiteJournal } from "../../src/journals/sqlite.ts";
import { MockProvider } from "../../src/llm/providers/mock.ts";
import { SQLiteSink } from "../../src/sinks/sqlite.ts";
import { SQLiteSource } from "../../src/sources/sqlite.ts";
import { execute, query, temporaryFolder } from "../support/sqlite.ts";

interface Row {
  readonly id: string;
  readonly note: string;
}

type Items = (state: { readonly processed: { readonly words: readonly string[] } }) => readonly string[];

const allWords: Items = (s) => s.processed.words;
const longWords: Items = (s) => s.processed.words.filter((word) => word.length > 3);

/** A table of notes that were changed long ago, one table for them and one for their words. */
class Site {
  readonly path: string;

  constructor(t: TestContext) {
    this.path = join(temporaryFolder(t), "data.db");
    this.change(`CREATE TABLE source (id TEXT PRIMARY KEY, note TEXT, changed_at TEXT);
      CREATE TABLE notes (id TEXT PRIMARY KEY, note TEXT, written INTEGER DEFAULT 0);
      CREATE TABLE words (id TEXT, word TEXT CHECK (word <> 'bad'), PRIMARY KEY (id, word));
      CREATE TRIGGER rewritten AFTER UPDATE OF note ON notes BEGIN UPDATE notes SET written = written + 1 WHERE id = NEW.id; END;
      INSERT INTO source VALUES ('1', 'a long day', '2026-01-01 00:00:01'), ('2', 'a night', '2026-01-01 00:00:02')`);
  }

  change(sql: string): void {
    execute(this.path, sql);
  }

  /** The keys of the rows that a run has read, with the outcome where it was no good one. */
  async run(items: Items = allWords): Promise<readonly string[]> {
    const read: string[] = [];
    const onEvent = (event: RunEvent): void => {
      if (event.type === "row-end") read.push(`${event.pk}${event.outcome === "skipped" ? " skipped" : ""}`);
    };
    const { error } = await this.#pipeline(items).run({ onEvent });
    assert.equal(error, null);
    return read.toSorted();
  }

  get words(): string {
    const lines = query(this.path, "SELECT id || word AS line FROM words ORDER BY 1");
    return lines.map(({ line }) => String(line)).join(" ");
  }

  #pipeline(items: Items) {
    const source = new SQLiteSource<Row>({
      databasePath: this.path,
      sql: "SELECT * FROM source",
      primaryKeyColumn: "id",
      changes: { by: "column", column: "changed_at" },
    });
    return new Pipeline<Row>({
      name: "notes",
      source,
      llmProvider: new MockProvider(),
      payloadLog: "off",
      onRowError: "skip",
      journal: new SQLiteJournal({ path: `${this.path}.journal` }),
    })
      .step(new TransformStep({ name: "split", transform: (s) => s.raw.note.split(" "), outputKey: "words" }))
      .to(
        new SQLiteSink({
          databasePath: this.path,
          targetTable: "notes",
          mergeKeys: ["id"],
          columnMap: { id: (s) => s.pk, note: (s) => s.raw.note },
        }),
      )
      .each(items, { key: (word) => word })
      .to(
        new SQLiteSink({
          databasePath: this.path,
          targetTable: "words",
          mergeKeys: ["id", "word"],
          groupKey: ["id"],
          columnMap: { id: (s) => s.pk, word: (s) => s.item },
        }),
      );
  }
}

test("only what changed is read, and everything after a change of the items", async (t) => {
  const site = new Site(t);
  assert.deepEqual(await site.run(), ["1", "2"]);
  assert.deepEqual(await site.run(), []);
  site.change("UPDATE source SET note = 'day', changed_at = '2026-01-01 00:01:00' WHERE id = '1'");
  assert.deepEqual(await site.run(), ["1"]);
  assert.equal(site.words, "1day 2a 2night");
  assert.deepEqual(await site.run(longWords), ["1", "2"]);
  assert.equal(site.words, "2night");
});

test("a row that the second sink rejected is due, until it is there too; the first one has it already", async (t) => {
  const site = new Site(t);
  await site.run();
  site.change("UPDATE source SET note = 'a bad day', changed_at = '2026-01-01 00:01:00' WHERE id = '1'");
  assert.deepEqual(await site.run(), ["1 skipped"]);
  assert.equal(site.words, "1a 1day 1long 2a 2night");
  site.change("DROP TABLE words; CREATE TABLE words (id TEXT, word TEXT, PRIMARY KEY (id, word))");
  site.change("INSERT INTO words VALUES ('1', 'long')"); // one that it has no longer
  assert.deepEqual(await site.run(), ["1"]);
  assert.equal(site.words, "1a 1bad 1day");
  assert.deepEqual(query(site.path, "SELECT id, written FROM notes ORDER BY 1"), [
    { id: "1", written: 1 },
    { id: "2", written: 0 },
  ]);
  assert.deepEqual(await site.run(), []);
});
