import { writeFileSync } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import type { ColumnValues, SinkSession } from "../../src/contracts/sink.ts";
import { columnLimits } from "../../src/engine/column-limits.ts";
import { ColumnMapError, SinkDataError, SinkError, TargetError, ValueError } from "../../src/errors/sink.ts";
import type { JSONSchema } from "../../src/json/json-schema.ts";
import { CSVSink } from "../../src/sinks/csv.ts";
import { groupsOf } from "../../src/testing/row-groups.ts";
import { assertSentences } from "../support/error-sentences.ts";
import { constructSQLiteSink } from "../support/sqlite-under-test.ts";
import { execute, noAbort, temporaryDatabase, temporaryFolder } from "../support/sqlite.ts";

test("the sentences about sinks", async (t) => {
  const facts = { where: "age", expected: "INT", got: "NVARCHAR(5)", hint: "change the column" };
  const problem = { message: "must have at most 6 characters, got 8", detail: "" };
  const choices: JSONSchema = { type: "object", properties: { category: { type: "string", enum: ["Transfer"] } } };
  await assertSentences(t, [
    () => new SinkError("csv", "the file can't be written", { facts: { hint: "free the disk" } }),
    () => new TargetError("sqlite", 'the column "age" has another type', { facts }),
    () => new SinkDataError("sqlite", "a row was rejected", { detail: "a row was rejected: Jane Doe" }),
    () => new ColumnMapError("age", new TypeError("Jane Doe")),
    () => new ValueError("age: too big", "age: too big: 5000", ["age"]),
    () =>
      columnLimits(
        {
          sink: {
            name: "sqlite",
            columnMap: { kind: (s: { processed: { kind: { category: string } } }) => s.processed.kind.category },
          },
        },
        { kind: { schema: { maxLength: 6 }, problemOf: () => problem } },
        [{ name: "kind", outputKey: "kind", outputSchema: choices }],
      ),
  ]);
});

test("the sentences about the file of a CSV sink", async (t) => {
  const folder = temporaryFolder(t);
  const opening = async (path: string): Promise<SinkSession> =>
    await new CSVSink({ filePath: path, columnMap: { id: () => "1" } }).open({ signal: noAbort() });
  writeFileSync(join(folder, "file"), "");
  const handle = await open(folder, "r");
  await handle.close();
  const prototype: FileHandle = Object.getPrototypeOf(handle);
  const breakDown = (call: "sync" | "write", isMeant: (isFolder: boolean) => boolean): void => {
    t.mock.restoreAll(); // a mock of a mock would be put back as the first one
    t.mock.method(prototype, call, async function fail(this: FileHandle) {
      const isFolder = (await this.stat()).isDirectory();
      if (isMeant(isFolder)) throw Object.assign(new Error("EIO: i/o error"), { code: "EIO" });
    });
  };
  await assertSentences(
    t,
    [
      () => opening(folder),
      () => opening(join(folder, "file", "rows.csv")),
      async () => {
        const first = await opening(join(folder, "held.csv"));
        t.after(() => first.close("stopped"));
        await opening(join(folder, "held.csv"));
      },
      async () => {
        const session = await opening(join(folder, "text.csv"));
        t.after(() => session.close("stopped"));
        await session.write(groupsOf([{ id: "secret \uD83D" }]));
      },
      async () => {
        breakDown("sync", (isFolder) => isFolder);
        await (await opening(join(folder, "folder.csv"))).close("completed");
      },
      async () => {
        breakDown("sync", (isFolder) => !isFolder);
        await (await opening(join(folder, "sync.csv"))).close("completed");
      },
      async () => {
        breakDown("write", () => true);
        await opening(join(folder, "full.csv"));
      },
    ],
    folder,
  );
});

test("the sentences about writing to a table of SQLite", async (t) => {
  const path = temporaryDatabase(t, "CREATE TABLE t (id TEXT PRIMARY KEY, value TEXT NOT NULL)");
  const opening = async (strategy = "merge", databasePath = path): Promise<SinkSession> => {
    const columnMap = { id: () => null, value: () => null };
    const sink = constructSQLiteSink({ databasePath, targetTable: "t", columnMap, strategy, mergeKeys: ["id"] });
    const session = await sink.open({ signal: noAbort() });
    t.after(() => session.close("stopped"));
    return session;
  };
  const writing = (values: ColumnValues, strategy?: string) => async (): Promise<void> =>
    await (await opening(strategy)).write(groupsOf([values]));
  await assertSentences(
    t,
    [
      writing({ id: null, value: "x" }),
      writing({ id: "1", value: null }),
      writing({ id: "secret", value: "x" }, "update"),
      async () => {
        const dropped = temporaryDatabase(t, "CREATE TABLE t (id TEXT PRIMARY KEY, value TEXT)");
        const session = await opening("merge", dropped);
        execute(dropped, "DROP TABLE t");
        await session.write(groupsOf([{ id: "1", value: "x" }]));
      },
    ],
    path,
  );
});
