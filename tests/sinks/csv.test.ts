import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { type FileHandle, mkdir, mkdtemp, open } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { pathToFileURL } from "node:url";
import * as fc from "fast-check";
import { OptionError } from "../../src/errors/option.ts";
import { SinkDataError, SinkError } from "../../src/errors/sink.ts";
import type { ColumnValues, SinkSession } from "../../src/contracts/sink.ts";
import { CSVSink, type CSVSinkOptions } from "../../src/sinks/csv.ts";
import { CSVSource } from "../../src/sources/csv.ts";
import { sinkContract } from "../../src/testing/sink-contract.ts";
import { groupsOf } from "../../src/testing/row-groups.ts";
import { failsWith } from "../support/error-facts.ts";

const folder = mkdtempSync(join(tmpdir(), "llm-etl csv sink "));
after(() => rmSync(folder, { recursive: true, force: true }));

interface State {
  readonly pk: string;
}

let files = 0;
function newPath(): string {
  files += 1;
  return join(folder, `rows ${files}.csv`);
}

function sinkOf(
  path: string,
  columns: readonly string[],
  options: Partial<Omit<CSVSinkOptions<State>, "filePath" | "path">> = {},
): CSVSink<State> {
  const columnMap = Object.fromEntries(columns.map((column) => [column, (state: State) => state.pk]));
  return new CSVSink<State>({ filePath: path, columnMap, ...options });
}

function openSink(sink: CSVSink<State>): Promise<SinkSession> {
  return sink.open({ signal: new AbortController().signal });
}

/** The text of the file after one batch was written to it. */
async function write(
  rows: readonly ColumnValues[],
  options: Partial<Omit<CSVSinkOptions<State>, "filePath" | "path">> = {},
): Promise<string> {
  const path = newPath();
  const session = await openSink(sinkOf(path, Object.keys(rows[0] ?? {}), options));
  await session.write(groupsOf(rows));
  await session.close("completed");
  return readFileSync(path, "utf8");
}

async function readBack(path: string, primaryKeyColumn: string, delimiter = ","): Promise<ColumnValues[]> {
  const raws: ColumnValues[] = [];
  const source = new CSVSource({ filePath: path, primaryKeyColumn, delimiter });
  for await (const row of source.read({ signal: new AbortController().signal, parameters: {} })) {
    if ("error" in row) throw row.error;
    raws.push(row.raw);
  }
  return raws;
}

describe("CSVSink keeps the contract of sinks", () => {
  const checks = sinkContract({
    keyed: false,
    keepsNull: false,
    rejectedRow: { id: "5", value: "half a pair: \uD83D" },
    create: async () => {
      const path = join(await mkdtemp(join(folder, "contract ")), "rows.csv");
      const columnMap = { id: (state: State) => state.pk, value: (state: State) => state.pk };
      return {
        sink: new CSVSink({ filePath: path, columnMap }),
        twin: new CSVSink({ filePath: pathToFileURL(path), columnMap }),
        rowsWritten: async () => {
          if (!existsSync(path)) return [];
          return readBack(path, "id");
        },
      };
    },
  });
  for (const { name, check } of checks) test(name, check);
});

test("any table that is written is read back equal, whatever the delimiter and the line ending", async () => {
  const character = fc.oneof(
    fc.constantFrom('"', ",", ";", "\n", "\r", "\uFEFF", "=", "§"),
    fc.string({ unit: "binary", minLength: 1, maxLength: 1 }),
  );
  const text = fc.string({ unit: character, maxLength: 10 });
  const name = text.filter((value) => value.trim() !== "" && value !== "__proto__" && !value.includes("\0"));
  const cases = fc.uniqueArray(name, { minLength: 1, maxLength: 4 }).chain((columns) =>
    fc.record({
      columns: fc.constant(columns),
      table: fc.array(fc.array(text, { minLength: columns.length, maxLength: columns.length }), { maxLength: 6 }),
      padding: fc.constantFrom(0, 65_520, 65_530, 65_535),
      delimiter: fc.constantFrom(",", ";", "\t", "|", "§", "😀"),
      lineEnding: fc.constantFrom("\n" as const, "\r\n" as const),
      bom: fc.boolean(),
      batchSize: fc.integer({ min: 1, max: 3 }),
    }),
  );
  await fc.assert(
    fc.asyncProperty(cases, async ({ columns, table, padding, batchSize, ...options }) => {
      const path = newPath();
      const padded = [columns.map(() => "x".repeat(padding)), ...table]; // puts what follows on a chunk's boundary
      const rows = padded.map((cells) => Object.fromEntries(cells.map((cell, index) => [columns[index] ?? "", cell])));
      const session = await openSink(sinkOf(path, columns, options));
      for (let start = 0; start < rows.length; start += batchSize)
        await session.write(groupsOf(rows.slice(start, start + batchSize)));
      await session.close("completed");
      assert.deepEqual(await readBack(path, columns[0] ?? "", options.delimiter), rows);
      rmSync(path);
    }),
    { seed: 5, numRuns: 75 },
  );
});

test("every kind of value is written as text", async () => {
  const row = {
    text: "a",
    number: -1.5,
    big: 12345678901234567890n,
    yes: true,
    no: false,
    date: new Date(Date.UTC(2025, 1, 2, 10, 30)),
    none: null,
    missing: undefined,
    bytes: new Uint8Array([1, 2, 255]),
    list: ["a", 1],
    object: { b: 2n },
    quoted: 'say "hi", twice\r\nplease',
  };
  assert.equal(
    await write([row]),
    "text,number,big,yes,no,date,none,missing,bytes,list,object,quoted\n" +
      'a,-1.5,12345678901234567890,true,false,2025-02-02T10:30:00.000Z,,,AQL/,"[""a"",1]","{""b"":""2""}",' +
      '"say ""hi"", twice\r\nplease"\n',
  );
});

test("columns stand in the order of the column map, and a value that is not there is an empty cell", async () => {
  const path = newPath();
  const session = await openSink(sinkOf(path, ["b", "a"]));
  await session.write(groupsOf([{ a: 1, b: 2 }, { a: 3 }]));
  await session.close("completed");
  assert.equal(readFileSync(path, "utf8"), "b,a\n2,1\n,3\n");
});

test("what readers would pass over or take for another name stands in quotes", async () => {
  assert.equal(
    await write([
      { " a": null, "b ": " " },
      { " a": 1, "b ": null },
    ]),
    '" a","b "\n""," "\n1,\n',
  );
  assert.equal(await write([{ a: "\0", b: "\u001A" }]), 'a,b\n"\0","\u001A"\n');
  assert.equal(await write([{ "sep=;": "x" }]), '"sep=;"\nx\n');
});

test("delimiter, line ending and byte order mark are as asked for", async () => {
  const text = await write([{ id: "1;", text: "a,b" }], { delimiter: ";", lineEnding: "\r\n", bom: true });
  assert.equal(text, '\uFEFFid;text\r\n"1;";a,b\r\n');
});

test("formulas are escaped on request only, and numbers are left alone", async () => {
  const row = { a: "=1+1", b: "+1", c: "-1", d: "@x", e: "\tx", f: "\rx", g: -1, h: "1=1" };
  assert.equal(await write([row], { escapeFormulas: true }), `a,b,c,d,e,f,g,h\n'=1+1,'+1,'-1,'@x,'\tx,"'\rx",-1,1=1\n`);
  assert.equal(await write([{ a: "=1+1", c: "-1" }]), "a,c\n=1+1,-1\n");
});

test("a run without rows leaves a file with the header", async () => {
  const path = newPath();
  await (await openSink(sinkOf(path, ["id", "text"]))).close("completed");
  assert.equal(readFileSync(path, "utf8"), "id,text\n");
});

test("the file appears when the run completes, with mode 0600, in a folder that is created", async () => {
  const path = join(folder, "new folder", "deeper", "rows.csv");
  const session = await openSink(sinkOf(path, ["id"]));
  await session.write(groupsOf([{ id: "1" }]));
  assert.equal(existsSync(path), false);
  assert.equal(readFileSync(`${path}.partial`, "utf8"), "id\n1\n");
  await session.close("completed");
  assert.equal(existsSync(`${path}.partial`), false);
  assert.equal(statSync(path).mode & 0o777, 0o600);
});

async function prototypeOfHandles(): Promise<FileHandle> {
  const handle = await open(folder, "r");
  await handle.close();
  return Object.getPrototypeOf(handle);
}

test("the file is synced to disk before it is renamed, and its folder after that", async (context) => {
  const path = newPath();
  const prototype = await prototypeOfHandles();
  const synced: unknown[] = [];
  context.mock.method(prototype, "sync", async function spy(this: FileHandle) {
    synced.push({ folder: (await this.stat()).isDirectory(), renamed: existsSync(path) });
    await this.datasync();
  });
  await (await openSink(sinkOf(path, ["id"]))).close("completed");
  assert.deepEqual(synced, [
    { folder: false, renamed: false },
    { folder: true, renamed: true },
  ]);
});

test("a folder that can't be synced fails the run, but not on a system that syncs none", async (context) => {
  const prototype = await prototypeOfHandles();
  let code = "EIO";
  context.mock.method(prototype, "sync", async function fail(this: FileHandle) {
    if ((await this.stat()).isDirectory()) throw Object.assign(new Error(code), { code });
    await this.datasync();
  });
  const path = newPath();
  const session = await openSink(sinkOf(path, ["id"]));
  await assert.rejects(session.close("completed"), failsWith("SINK_FAILED", { where: folder, code: "EIO" }));
  assert.ok(existsSync(path));
  code = "EPERM";
  await (await openSink(sinkOf(newPath(), ["id"]))).close("completed");
});

test("a run that stops leaves the earlier file as it was and keeps the partial one, until the next run", async () => {
  const path = newPath();
  writeFileSync(path, "of an earlier run");
  writeFileSync(`${path}.partial`, "of a run that stopped", { mode: 0o644 });
  const stopped = await openSink(sinkOf(path, ["id"]));
  await stopped.write(groupsOf([{ id: "1" }]));
  await stopped.close("stopped");
  assert.equal(readFileSync(path, "utf8"), "of an earlier run");
  assert.equal(readFileSync(`${path}.partial`, "utf8"), "id\n1\n");
  assert.equal(statSync(`${path}.partial`).mode & 0o777, 0o600);
  await (await openSink(sinkOf(path, ["id"]))).close("completed");
  assert.equal(readFileSync(path, "utf8"), "id\n");
});

test("a path that is a folder, and a folder that can't be written to, are refused before the first row", async () => {
  const taken = join(folder, "taken");
  await mkdir(taken);
  await assert.rejects(openSink(sinkOf(taken, ["id"])), failsWith("SINK_FAILED", { where: taken, code: "EISDIR" }));
  const file = newPath();
  writeFileSync(file, "a file, no folder");
  const blocked = join(folder, "blocked.csv");
  await mkdir(`${blocked}.partial`);
  for (const path of [join(file, "rows.csv"), blocked, "/proc/rows.csv"]) {
    const isNamed = failsWith("SINK_FAILED", { sink: `CSVSink ${path}`, where: `${path}.partial` });
    await assert.rejects(openSink(sinkOf(path, ["id"])), (error: Error) => {
      return isNamed(error) && error.cause instanceof Error;
    });
  }
});

test("a value without text is told by the check, and refused by the write with nothing written", async () => {
  const path = newPath();
  const session = await openSink(sinkOf(path, ["id", "text"]));
  const bad = { id: "2", text: "secret \uD83D" };
  assert.deepEqual(session.check?.({ id: "1", text: "fine" }), []);
  const [violation, ...others] = session.check?.(bad) ?? [];
  assert.equal(violation?.column, "text");
  assert.match(violation?.message ?? "", /column "text" has half of a surrogate pair/);
  assert.deepEqual(others, []);
  await assert.rejects(
    session.write(groupsOf([{ id: "1", text: "a" }, bad])),
    (error) => error instanceof SinkDataError && !error.message.includes("secret"),
  );
  await session.close("completed");
  assert.equal(readFileSync(path, "utf8"), "id,text\n");
});

test("what the engine asks a sink is told", () => {
  const path = newPath();
  const sink = sinkOf(path, ["id"], { preserveOrder: true });
  assert.deepEqual([sink.name, sink.identity, sink.keepsRows, sink.preserveOrder], ["csv", path, false, true]);
  assert.equal(sinkOf(path, ["id"]).preserveOrder, false);
});

test("an unknown option, a missing one and a wrong value are refused at construction", () => {
  const right = { path: "rows.csv", columnMap: { id: (state: State) => state.pk } };
  const wrong: readonly object[] = [
    { path: "rows.csv" },
    { columnMap: right.columnMap },
    { ...right, columnMap: {} },
    { ...right, columnMap: { id: "pk" } },
    { ...right, delimiter: "" },
    { ...right, preserveOrder: 1 },
    { ...right, escapeFormulas: "yes" },
    { ...right, bom: null },
    { ...right, lineEnding: "\r" },
    { ...right, order: true },
  ];
  for (const options of wrong) {
    // @ts-expect-error: the options are wrong, and a user of JavaScript is told so too
    assert.throws(() => new CSVSink(options), OptionError, JSON.stringify(options));
  }
});

test("a second run to the same path is refused before its first row, and the first one goes on", async () => {
  const path = newPath();
  const first = await openSink(sinkOf(path, ["id"]));
  await first.write(groupsOf([{ id: "1" }]));
  await assert.rejects(openSink(sinkOf(path, ["id"])), (error) => {
    assert.ok(error instanceof SinkError);
    assert.equal(
      error.message,
      `CSVSink ${path}: another run is writing to ${path}.partial; wait until it has ended, or give this run another path`,
    );
    return true;
  });
  await first.write(groupsOf([{ id: "2" }]));
  await first.close("completed");
  assert.equal(readFileSync(path, "utf8"), "id\n1\n2\n");
  await (await openSink(sinkOf(path, ["id"]))).close("stopped");
  await (await openSink(sinkOf(path, ["id"]))).close("completed");
  assert.equal(existsSync(`${path}.partial.lock`), true); // two could hold it between a removal and the next holder's
});

test("a run never puts in place what somebody else wrote under its file's name", async () => {
  const cases = [
    { happens: (partial: string) => rmSync(partial), said: "was removed" },
    {
      happens: (partial: string) => {
        writeFileSync(`${partial}.other`, "half of another's");
        renameSync(`${partial}.other`, partial);
      },
      said: "was replaced by another file",
    },
  ];
  for (const { happens, said } of cases) {
    const path = newPath();
    writeFileSync(path, "of an earlier run");
    const session = await openSink(sinkOf(path, ["id"]));
    happens(`${path}.partial`);
    await assert.rejects(session.close("completed"), (error) => {
      assert.ok(error instanceof SinkError);
      assert.ok(error.message.includes(`${path}.partial ${said} while this run was writing to it`), error.message);
      return true;
    });
    assert.equal(readFileSync(path, "utf8"), "of an earlier run");
  }
});

test("a value of which a file would hold nothing is told by the check", async () => {
  const session = await openSink(sinkOf(newPath(), ["value"]));
  for (const value of [new Map([["a", 1]]), new Set([1]), new Error("secret"), Number.NaN, Infinity]) {
    const violations = session.check?.({ value }) ?? [];
    assert.equal(violations.length, 1);
    assert.ok(!violations[0]?.message.includes("secret"));
  }
  await session.close("completed");
});
