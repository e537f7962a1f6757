import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { Pipeline, type Sink, TransformStep } from "../../src/index.ts";
import type { Journal } from "../../src/contracts/journal.ts";
import { SQLiteJournal } from "../../src/journals/sqlite.ts";
import { MockProvider } from "../../src/llm/providers/mock.ts";
import { SQLiteSink } from "../../src/sinks/sqlite.ts";
import { MemorySource } from "../../src/testing/memory-source.ts";
import { execute, query } from "../support/sqlite.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

interface Row {
  readonly id: string;
  readonly codes: readonly string[];
}

interface State {
  readonly pk: string;
  readonly processed: { readonly codes: readonly string[] };
}

type CodeState = State & { readonly item: string };

const folder = temporaryFolder();
let count = 0;

/** A run's journal and sinks, of which the journal takes nothing more once a batch is written: as if the process had died there. */
class Life {
  #isOver = false;

  journal(path: string): Journal {
    const journal = new SQLiteJournal({ path });
    return {
      name: journal.name,
      identity: journal.identity,
      reader: journal.reader,
      open: async (run, signal) => {
        const session = await journal.open(run, signal);
        const { rows, children } = session;
        return {
          ...session,
          rows: { ...rows, saveWritten: async (...saved) => await this.#work(() => rows.saveWritten(...saved)) },
          children: { ...children, save: async (...saved) => await this.#work(() => children.save(...saved)) },
        };
      },
    };
  }

  sink<State>(sink: Sink<State>): Sink<State> {
    const { name, identity, keepsRows, columnMap, table, groups } = sink;
    return {
      ...{ name, identity, keepsRows, columnMap, table, groups },
      open: async (context) => {
        const session = await sink.open(context);
        const write: typeof session.write = async (rows) => {
          await session.write(rows);
          this.#isOver = true;
        };
        return { ...session, write };
      },
    };
  }

  async #work(save: () => Promise<void>): Promise<void> {
    if (this.#isOver) throw new Error("the process is dead");
    await save();
  }
}

interface Given {
  readonly path: string;
  readonly codes: readonly string[];
  readonly isKilled?: boolean;
}

function begun(path: string, codes: readonly string[], life: Life | undefined) {
  const journalPath = `${path}.journal`;
  return new Pipeline<Row>({
    name: "reverted",
    source: new MemorySource<Row>({ rows: [{ id: "1", codes }], primaryKeyColumn: "id" }),
    llmProvider: new MockProvider(),
    payloadLog: "off",
    journal: life === undefined ? new SQLiteJournal({ path: journalPath }) : life.journal(journalPath),
  }).step(new TransformStep({ name: "codes", transform: (s) => s.raw.codes, outputKey: "codes" }));
}

/** Writes the codes as one text. */
async function runPlain({ path, codes, isKilled }: Given): Promise<number> {
  const life = isKilled === true ? new Life() : undefined;
  const sink = new SQLiteSink({
    databasePath: path,
    targetTable: "texts",
    mergeKeys: ["id"],
    columnMap: {
      id: (s: State) => s.pk,
      codes: (s: State) => s.processed.codes.join(),
    },
  });
  const { exitCode } = await begun(path, codes, life)
    .to(life?.sink(sink) ?? sink)
    .run();
  return exitCode;
}

/** Writes a row for each code. */
async function runEach({ path, codes, isKilled }: Given): Promise<number> {
  const life = isKilled === true ? new Life() : undefined;
  const sink = new SQLiteSink({
    databasePath: path,
    targetTable: "codes",
    mergeKeys: ["id", "code"],
    groupKey: ["id"],
    columnMap: { id: (s: CodeState) => s.pk, code: (s: CodeState) => s.item },
  });
  const { exitCode } = await begun(path, codes, life)
    .each((s) => s.processed.codes, { key: (code) => code })
    .to(life?.sink(sink) ?? sink)
    .run();
  return exitCode;
}

function newDatabase(): string {
  const path = join(folder, `${(count += 1)}.db`);
  execute(
    path,
    "CREATE TABLE texts (id TEXT PRIMARY KEY, codes TEXT); CREATE TABLE codes (id TEXT, code TEXT, PRIMARY KEY (id, code))",
  );
  return path;
}

const changes: readonly (readonly [name: string, before: string, killed: string])[] = [
  ["grows", "a", "a,b"],
  ["shrinks", "a,b", "a"],
  ["moves", "a,b", "b,c"],
  ["ends", "a", ""],
];

for (const [name, before, killed] of changes) {
  test(`a row that ${name} in a run that dies before its journal knows, and is then as it was, is written again`, async () => {
    const [first, second] = [before, killed].map((codes) => codes.split(",").filter(Boolean));
    assert.ok(first && second);
    const path = newDatabase();
    for (const run of [runPlain, runEach]) {
      assert.equal(await run({ path, codes: first }), 0);
      assert.equal(await run({ path, codes: second, isKilled: true }), 3);
      assert.equal(await run({ path, codes: first }), 0);
    }
    assert.deepEqual(query(path, "SELECT codes FROM texts"), [{ codes: before }]);
    assert.deepEqual(
      query(path, "SELECT code FROM codes ORDER BY 1").map(({ code }) => code),
      first,
    );
  });
}
