import assert from "node:assert/strict";
import type { ErrorFacts } from "../../src/errors/facts.ts";
import { failsWith } from "../support/error-facts.ts";
import {
  appendFileSync,
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { basename, join } from "node:path";
import { test } from "node:test";
import * as fc from "fast-check";
import {
  ClassifierStep,
  Pipeline,
  type PipelineOptions,
  ProviderError,
  type RowSchema,
  type Sink,
  type SinkState,
} from "../../src/index.ts";
import { RowError } from "../../src/errors/llm-etl-error.ts";
import { DeadLetterFile } from "../../src/dead-letter/file.ts";
import { MockProvider } from "../../src/llm/providers/mock.ts";
import { CSVSink } from "../../src/sinks/csv.ts";
import { MemorySink } from "../../src/testing/memory-sink.ts";
import { MemorySource } from "../../src/testing/memory-source.ts";
import { readLines } from "../support/run-rows.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { withoutFind } from "../support/without-find.ts";

interface Row {
  readonly id: string;
  readonly note: string;
}

type State = SinkState<Row>;

const folder = temporaryFolder();
const isRoot = process.getuid?.() === 0;

/** Refuses each row whose note has the word. */
function refusing(word: string, code = "CONTENT_FILTER"): MockProvider {
  return new MockProvider({
    responses: ({ messages }) => {
      const isRefused = messages.some(({ content }) => content.includes(word));
      return isRefused ? new ProviderError("row", code, `the service refused ${word}`) : undefined;
    },
  });
}

const willing = new MockProvider({ seed: 2 });

interface Site {
  readonly folder: string;
  /** The dead letter file. */
  readonly path: string;
  readonly sink: MemorySink<State, "id" | "note">;
  readonly pipeline: (
    rows: readonly object[],
    options?: Partial<PipelineOptions<Row>>,
    sink?: Sink<State>,
  ) => ReturnType<Pipeline<Row>["to"]>;
}

/** A folder with all files of a pipeline, and the sink that all its runs share. */
function newSite(): Site {
  const own = mkdtempSync(join(folder, "site "));
  const path = join(own, "failed.jsonl");
  const sink = new MemorySink({
    columnMap: { id: (s: State) => s.pk, note: (s: State) => s.raw.note },
    mergeKeys: ["id"],
  });
  return {
    folder: own,
    path,
    sink,
    pipeline: (rows, options = {}, target = sink) =>
      new Pipeline<Row>({
        name: "notes",
        source: withoutFind(new MemorySource<Row>({ rows, primaryKeyColumn: "id" })),
        llmProvider: willing,
        concurrency: 1,
        onRowError: "dead_letter",
        deadLetterPath: path,
        payloadLog: "off",
        journalPath: join(own, "journal.db"),
        ...options,
      })
        .step(
          new ClassifierStep({
            name: "kind",
            taxonomy: [{ name: "Only", definition: "everything" }],
            inputMap: { text: (s) => s.raw.note },
            outputKey: "kind",
          }),
        )
        .to(target),
  };
}

function keysIn(path: string): unknown[] {
  return readLines(path).map(({ pk }) => pk);
}

function filesBeside({ folder: own }: Site): string[] {
  return readdirSync(own).filter((name) => name.startsWith("failed") && !name.endsWith(".lock"));
}

const rows: readonly Row[] = ["a", "b", "c", "d"].map((id) => ({ id, note: `Note ${id}: BAD-${id}.` }));

test("rows that succeed are upserted and leave the file; the others stay, with their new cause; the old file is kept", async () => {
  const site = newSite();
  await site.pipeline(rows, { llmProvider: refusing("BAD") }).run();
  const before = readFileSync(site.path, "utf8");
  const report = await site.pipeline([]).replay({ llmProvider: refusing("BAD-c", "REFUSAL") });
  assert.deepEqual([report.readCount, report.successCount, report.failureCount, report.exitCode], [4, 3, 1, 1]);
  assert.deepEqual([report.writtenSinceCount, report.remainingCount, report.notReplayable], [0, 1, []]);
  assert.deepEqual(report.failuresByCode, { REFUSAL: 1 });
  assert.deepEqual(
    site.sink.rows.map(({ id }) => id),
    ["a", "b", "d"],
  );
  const [line, ...others] = readLines(site.path);
  assert.deepEqual([line?.["pk"], line?.["error_code"], others], ["c", "REFUSAL", []]);
  assert.equal(line?.["run_id"], report.runId);
  assert.match(report.keptPath ?? "", /failed\.\d{8}T\d{9}Z\.jsonl$/);
  assert.ok(readFileSync(report.keptPath ?? "", "utf8").startsWith(before));
  assert.equal(filesBeside(site).length, 2);
});

test("a file whose rows have all succeeded is empty, and can be replayed again", async () => {
  const site = newSite();
  await site.pipeline(rows, { llmProvider: refusing("BAD") }).run();
  const first = await site.pipeline([]).replay();
  assert.deepEqual([first.exitCode, first.remainingCount], [0, 0]);
  assert.equal(readFileSync(site.path, "utf8"), "");
  const second = await site.pipeline([]).replay();
  assert.deepEqual([second.exitCode, second.status, second.readCount, second.keptPath], [0, "completed", 0, null]);
});

test("the file's own last line on a row counts, with its data and its error code", async () => {
  const site = newSite();
  const pipeline = site.pipeline([{ id: "a", note: "First BAD." }], { llmProvider: refusing("BAD") });
  await pipeline.run();
  await site.pipeline([{ id: "a", note: "Second BAD." }], { llmProvider: refusing("BAD", "REFUSAL") }).run();
  assert.equal((await site.pipeline([]).replay({ codes: ["CONTENT_FILTER"] })).readCount, 0);
  const report = await site.pipeline([]).replay({ codes: ["REFUSAL"] });
  assert.deepEqual([report.readCount, report.successCount, report.remainingCount], [1, 1, 0]);
  assert.deepEqual(site.sink.rows, [{ id: "a", note: "Second BAD." }]);
});

test("a row that a run has written since leaves the file without being replayed", async () => {
  const site = newSite();
  await site.pipeline(rows, { llmProvider: refusing("BAD") }).run();
  const before = readFileSync(site.path);
  await site.pipeline([{ id: "b", note: "Mended." }]).run();
  writeFileSync(site.path, before); // as if that run had been killed before its end
  const report = await site.pipeline([]).replay({ llmProvider: refusing("BAD-d") });
  assert.deepEqual([report.writtenSinceCount, report.readCount, report.remainingCount], [1, 3, 1]);
  assert.deepEqual(
    site.sink.rows.map(({ id, note }) => [id, note]),
    [
      ["b", "Mended."],
      ["a", rows[0]?.note],
      ["c", rows[2]?.note],
    ],
  );
  assert.deepEqual(keysIn(site.path), ["d"]);
});

test("a row that failed after it had been written is replayed", async () => {
  const site = newSite();
  await site.pipeline([{ id: "a", note: "Fine." }]).run();
  await site.pipeline([{ id: "a", note: "Now BAD." }], { llmProvider: refusing("BAD") }).run();
  const report = await site.pipeline([]).replay();
  assert.deepEqual([report.writtenSinceCount, report.successCount], [0, 1]);
  assert.deepEqual(site.sink.rows, [{ id: "a", note: "Now BAD." }]);
});

test("lines that can't be replayed are listed with number and reason, and stay as they are, in order", async () => {
  const site = newSite();
  const odd = [{ id: null, note: "No key." }, ...rows.slice(0, 1), { id: "a", note: "The key once more." }];
  await site.pipeline(odd, { llmProvider: refusing("BAD") }).run();
  const [noKey, , duplicate] = readFileSync(site.path, "utf8").split("\n");
  appendFileSync(site.path, '\nno JSON\r\n{"pk":"b","raw_');
  const report = await site.pipeline([]).replay();
  assert.deepEqual([report.readCount, report.successCount, report.remainingCount], [1, 1, 4]);
  const notJSON = "is not JSON in UTF-8: a crash cut it off, or it was edited";
  assert.deepEqual(report.notReplayable, [
    { line: 1, reason: "its row has no primary key" },
    { line: 2, reason: "another row of its run has the same primary key" },
    { line: 3, reason: notJSON },
    { line: 4, reason: notJSON },
  ]);
  assert.equal(readFileSync(site.path, "utf8"), `${noKey}\n${duplicate}\nno JSON\r\n{"pk":"b","raw_\n`);
  assert.equal(site.sink.rows[0]?.["note"], rows[0]?.note);
});

test("a row with a value that could not be kept is not replayed, until a run has written it", async () => {
  const site = newSite();
  const hostile = { id: "a", note: "BAD.", photo: "…" };
  await site.pipeline([hostile], { llmProvider: refusing("BAD") }).run();
  const broken = readFileSync(site.path, "utf8").replace('"…"', '{"$unencodable":"RangeError"}');
  writeFileSync(site.path, broken);
  const report = await site.pipeline([]).replay();
  assert.deepEqual([report.readCount, report.remainingCount, report.keptPath], [0, 1, null]);
  assert.deepEqual(report.notReplayable, [{ line: 1, reason: "its row held a value that could not be kept" }]);
  assert.equal(readFileSync(site.path, "utf8"), broken);
  await site.pipeline([hostile]).run();
  assert.equal(readFileSync(site.path, "utf8"), "");
  writeFileSync(site.path, broken); // as if that run had been killed before its end
  const after = await site.pipeline([]).replay();
  assert.deepEqual([after.writtenSinceCount, after.remainingCount, after.notReplayable], [1, 0, []]);
});

test("`codes` replays rows that failed with them, and leaves the others", async () => {
  const site = newSite();
  await site.pipeline(rows.slice(0, 2), { llmProvider: refusing("BAD") }).run();
  await site.pipeline(rows.slice(2), { llmProvider: refusing("BAD", "REFUSAL") }).run();
  const report = await site.pipeline([]).replay({ codes: ["REFUSAL", "TIMEOUT"] });
  assert.deepEqual([report.readCount, report.successCount, report.remainingCount], [2, 2, 2]);
  assert.deepEqual(keysIn(site.path), ["a", "b"]);
});

test("an error code that is none is refused with the one that was meant, and the file is not touched", async () => {
  const site = newSite();
  await site.pipeline(rows, { llmProvider: refusing("BAD") }).run();
  const before = readFileSync(site.path, "utf8");
  await assert.rejects(site.pipeline([]).replay({ codes: ["CONTENT_FITLER"] }), {
    code: "INVALID_OPTION",
    message: /no row of the file has failed with "CONTENT_FITLER"; did you mean "CONTENT_FILTER"\?/,
  });
  assert.equal(readFileSync(site.path, "utf8"), before);
});

test("steps and sink are given what the source gave: dates, bytes, bigints and numbers as they were", async () => {
  const site = newSite();
  const at = new Date("2025-02-02T10:30:00.123Z");
  const values = { at, photo: Buffer.from([0, 255]), big: 2n ** 63n, list: [{ at }], most: Infinity, none: null };
  const raw = { id: "a", note: "BAD.", ...values };
  await site.pipeline([raw], { llmProvider: refusing("BAD") }).run();
  const target = new MemorySink({ columnMap: { raw: (s: State) => s.raw }, identity: "typed" });
  await site.pipeline([], {}, target).replay();
  assert.deepEqual(target.rows, [{ raw }]);
});

test("the source's schema is applied anew, and a key that it changes is the same row", async () => {
  const site = newSite();
  let isStrict = true;
  const schema: RowSchema<Row> = {
    "~standard": {
      version: 1,
      vendor: "test",
      validate: (value) => {
        const { id, note } = Object(value);
        return isStrict ? { issues: [{ message: "no" }] } : { value: { id: String(id).trim(), note } };
      },
    },
  };
  const spaced = [
    { id: " a ", note: "BAD." },
    { id: " b ", note: "Fine." },
  ];
  const source = new MemorySource<Row>({ rows: spaced, primaryKeyColumn: "id", schema });
  await site.pipeline([], { source }).run();
  assert.deepEqual(keysIn(site.path), [" a ", " b "]);
  isStrict = false;
  const report = await site.pipeline([], { source }).replay({ llmProvider: refusing("BAD") });
  assert.deepEqual([report.successCount, report.failureCount, report.remainingCount], [1, 1, 1]);
  assert.deepEqual(keysIn(site.path), ["a"]);
  assert.equal((await site.pipeline([], { source }).replay()).remainingCount, 0);
  assert.deepEqual(
    site.sink.rows.map(({ id }) => id),
    ["b", "a"],
  );
});

test("a replay in which every row fails again leaves the last failure of each, and no copy", async () => {
  const site = newSite();
  await site.pipeline(rows, { llmProvider: refusing("BAD") }).run();
  const report = await site.pipeline([]).replay({ llmProvider: refusing("BAD", "REFUSAL") });
  assert.deepEqual([report.failureCount, report.remainingCount, report.keptPath], [4, 4, null]);
  assert.deepEqual(
    readLines(site.path).map((line) => line["error_code"]),
    rows.map(() => "REFUSAL"),
  );
  assert.deepEqual(filesBeside(site), ["failed.jsonl"]);
});

test("a replay that is stopped takes out what it has done; the rest stays and is done by the next", async () => {
  const site = newSite();
  await site.pipeline(rows, { llmProvider: refusing("BAD") }).run();
  const stop = new AbortController();
  let ended = 0;
  const report = await site.pipeline([], { batchSize: 1 }).replay({
    signal: stop.signal,
    onEvent: ({ type }) => {
      if (type === "row-end" && (ended += 1) === 2) stop.abort();
    },
  });
  assert.deepEqual([report.status, report.exitCode], ["aborted", 3]);
  assert.ok(report.successCount >= 2 && report.successCount < 4, String(report.successCount));
  assert.equal(report.remainingCount, 4 - report.successCount);
  assert.equal(keysIn(site.path).length, report.remainingCount);
  const next = await site.pipeline([]).replay();
  assert.deepEqual([next.remainingCount, site.sink.rows.length], [0, 4]);
});

test("a row that was on its way when the replay was stopped stays", async () => {
  const site = newSite();
  await site.pipeline(rows, { llmProvider: refusing("BAD") }).run();
  const stop = new AbortController();
  const report = await site.pipeline([], { concurrency: 4 }).replay({
    llmProvider: new MockProvider({ latencyMs: 1_000_000 }),
    signal: stop.signal,
    gracePeriodMs: 0,
    onEvent: ({ type }) => {
      if (type === "call-start") stop.abort();
    },
  });
  assert.ok(report.pendingCount > 0);
  assert.deepEqual([report.successCount, report.remainingCount, report.keptPath], [0, 4, null]);
  assert.deepEqual(keysIn(site.path), ["a", "b", "c", "d"]);
});

test("it needs a sink that keeps rows, and a journal", async () => {
  const site = newSite();
  await site.pipeline(rows, { llmProvider: refusing("BAD") }).run();
  const csv = new CSVSink<State>({ filePath: join(site.folder, "rows.csv"), columnMap: { id: (s: State) => s.pk } });
  await assert.rejects(
    site.pipeline([], {}, csv).replay(),
    failsWith("INVALID_OPTION", { where: "path", sink: "csv" }),
  );
  const withoutJournal = site.pipeline([], { journal: "off", journalPath: undefined });
  await assert.rejects(withoutJournal.replay(), failsWith("INVALID_OPTION", { where: "journal", got: "off" }));
  assert.deepEqual(filesBeside(site), ["failed.jsonl"]);
});

test("a file that is missing, a folder or no regular one is refused before anything is done", async () => {
  const site = newSite();
  const cases: [string, ErrorFacts][] = [
    [join(site.folder, "none.jsonl"), { code: "ENOENT" }],
    [site.folder, { kind: "folder" }],
    ["/dev/null", { kind: "other" }],
    [join(site.folder, "no", "folder.jsonl"), { code: "ENOENT" }],
  ];
  for (const [path, facts] of cases) {
    await assert.rejects(
      site.pipeline([]).replay({ path }),
      failsWith("DEAD_LETTER_UNREADABLE", { where: path, ...facts }),
    );
  }
  assert.deepEqual(readdirSync(site.folder), []);
});

test(
  "a file that can't be read, or whose folder can't be written to, is refused before anything is done",
  { skip: isRoot ? "root may do everything" : false },
  async (t) => {
    const site = newSite();
    writeFileSync(site.path, "", { mode: 0o200 });
    await assert.rejects(
      site.pipeline([]).replay(),
      failsWith("DEAD_LETTER_UNREADABLE", { where: site.path, code: "EACCES" }),
    );
    chmodSync(site.path, 0o600);
    chmodSync(site.folder, 0o500);
    t.after(() => chmodSync(site.folder, 0o700));
    await assert.rejects(site.pipeline([]).replay(), failsWith("DEAD_LETTER_FAILED", { code: "EACCES" }));
  },
);

test("a file that is replaced during the replay loses the rows that got through, and nothing else", async () => {
  const site = newSite();
  await site.pipeline(rows, { llmProvider: refusing("BAD") }).run();
  const [first = "", ...others] = readFileSync(site.path, "utf8").split("\n");
  const later = first.replace(/"timestamp":"[^"]*"/, '"timestamp":"2999-01-01T00:00:00.000Z"');
  const foreign = first.replace('"pipeline":"notes"', '"pipeline":"bills"');
  const report = await site.pipeline([]).replay({
    onEvent: ({ type }) => {
      if (type !== "row-end") return;
      writeFileSync(`${site.path}.new`, [foreign, later, ...others].join("\n"));
      renameSync(`${site.path}.new`, site.path);
    },
  });
  assert.deepEqual([report.error, report.exitCode, report.remainingCount], [null, 0, 2]);
  assert.equal(readFileSync(site.path, "utf8"), `${foreign}\n${later}\n`);
});

test("a file that is shortened during the replay is left alone, and replaying it again loses nothing", async () => {
  const site = newSite();
  await site.pipeline(rows, { llmProvider: refusing("BAD") }).run();
  const [first = ""] = readFileSync(site.path, "utf8").split("\n");
  const report = await site.pipeline([], { batchSize: 10 }).replay({
    onEvent: ({ type }) => {
      if (type === "batch-start") writeFileSync(site.path, `${first}\n`);
    },
  });
  assert.deepEqual([report.error?.code, report.exitCode], ["DEAD_LETTER_UNREADABLE", 3]);
  assert.equal(readFileSync(site.path, "utf8"), `${first}\n`);
  const again = await site.pipeline([]).replay();
  assert.deepEqual([again.writtenSinceCount, again.readCount, again.remainingCount], [1, 0, 0]);
});

test("a line that somebody appends during the replay stays if it tells of a later failure", async () => {
  const site = newSite();
  await site.pipeline(rows, { llmProvider: refusing("BAD") }).run();
  const [first = ""] = readFileSync(site.path, "utf8").split("\n");
  const at = (time: string): string => first.replace(/"timestamp":"[^"]*"/, `"timestamp":"${time}"`);
  let isFirst = true;
  const report = await site.pipeline([]).replay({
    onEvent: ({ type }) => {
      if (type !== "row-end" || !isFirst) return;
      isFirst = false;
      appendFileSync(site.path, `${at("2999-01-01T00:00:00.000Z")}\n`);
      appendFileSync(site.path, `${at("2001-01-01T00:00:00.000Z").replace('"pk":"a"', '"pk":"b"')}\n`);
    },
  });
  assert.equal(report.remainingCount, 1);
  assert.equal(readFileSync(site.path, "utf8"), `${at("2999-01-01T00:00:00.000Z")}\n`);
});

test("a link to the file stays a link, and the old file is kept where the file is", async () => {
  const site = newSite();
  const elsewhere = join(site.folder, "elsewhere");
  mkdirSync(elsewhere);
  await site.pipeline(rows, { llmProvider: refusing("BAD") }).run();
  renameSync(site.path, join(elsewhere, "failed.jsonl"));
  symlinkSync(join(elsewhere, "failed.jsonl"), site.path);
  const { keptPath } = await site.pipeline([]).replay();
  assert.equal(readFileSync(site.path, "utf8"), "");
  assert.deepEqual(filesBeside(site), ["failed.jsonl"]);
  assert.deepEqual(
    readdirSync(elsewhere).toSorted(),
    [basename(keptPath ?? ""), "failed.jsonl", "failed.jsonl.lock"].toSorted(),
  );
});

test("any file is, after the replay, what the rules say of its lines", async () => {
  interface Spec {
    readonly kind: "row" | "incomplete" | "no key" | "duplicate" | "broken" | "blank";
    readonly pk: "a" | "b" | "c" | "d";
    readonly code: "CONTENT_FILTER" | "REFUSAL";
    readonly failed: "before" | "after";
    readonly succeeds: boolean;
  }
  const kinds = ["row", "row", "row", "incomplete", "no key", "duplicate", "broken", "blank"] as const;
  const spec: fc.Arbitrary<Spec> = fc.record({
    kind: fc.constantFrom(...kinds),
    pk: fc.constantFrom("a", "b", "c", "d"),
    code: fc.constantFrom("CONTENT_FILTER", "REFUSAL"),
    failed: fc.constantFrom("before", "after"),
    succeeds: fc.boolean(),
  });
  const textOf = ({ kind, pk, code, failed, succeeds }: Spec, index: number): string => {
    if (kind === "blank") return "";
    if (kind === "broken") return `{"broken":${index}`;
    const note = `Line ${index}: ${succeeds ? "fine" : "BAD"}.`;
    return JSON.stringify({
      pk: kind === "no key" ? null : pk,
      error_code: kind === "duplicate" ? "PRIMARY_KEY_DUPLICATE" : code,
      raw_data: kind === "incomplete" ? { id: pk, x: { $unencodable: "Error" } } : { id: pk, note },
      timestamp: failed === "before" ? "2001-01-01T00:00:00.000Z" : "2999-01-01T00:00:00.000Z",
    });
  };
  const files = fc.record({
    specs: fc.array(spec, { maxLength: 12 }),
    codes: fc.constantFrom<readonly string[] | undefined>(undefined, ["REFUSAL"]),
    isTorn: fc.boolean(),
  });
  await fc.assert(
    fc.asyncProperty(files, async ({ specs, codes, isTorn }) => {
      const site = newSite();
      const written = new Set(["a", "b"]); // by a run between 2001 and 2999
      await site.pipeline([...written].map((id) => ({ id, note: "Written." }))).run();
      const lines = specs.map(textOf);
      const content = lines.map((line) => `${line}\n`).join("") + (isTorn ? '{"pk":"c"' : "");
      writeFileSync(site.path, content);
      const report = await site.pipeline([]).replay({ codes, llmProvider: refusing("BAD", "TIMEOUT") });

      const lastOf = new Map<string, number>();
      for (const [index, { kind, pk }] of specs.entries()) {
        if (kind === "row" || kind === "incomplete") lastOf.set(pk, index);
      }
      const fate = ({ kind, pk, code, failed, succeeds }: Spec, index: number): string => {
        if (kind === "blank") return "blank";
        if (kind !== "row" && kind !== "incomplete") return "stays";
        if (lastOf.get(pk) !== index) return "outdated";
        if (codes !== undefined && !codes.includes(code)) return "stays";
        if (written.has(pk) && failed === "before") return "written since";
        if (kind === "incomplete") return "stays";
        return succeeds ? "succeeds" : "fails";
      };
      const fates = specs.map(fate);
      const count = (name: string): number => fates.filter((one) => one === name).length;
      const isCopied = count("succeeds") + count("written since") > 0;
      const isRewritten = isCopied || count("outdated") + count("fails") > 0;
      const tornLine = isTorn ? ['{"pk":"c"'] : [];
      const staying = isRewritten
        ? [...lines.filter((_, index) => fates[index] === "stays"), ...tornLine]
        : [...lines, ...tornLine];
      const failing = specs.flatMap(({ pk }, index) => (fates[index] === "fails" ? [{ pk, index }] : []));
      const found = readFileSync(site.path, "utf8").split("\n").slice(0, -1);

      assert.deepEqual(found.slice(0, staying.length), staying);
      assert.deepEqual(
        found.slice(staying.length).map((line) => {
          const { pk, raw_data: raw, error_code: code } = JSON.parse(line);
          return [pk, raw.note, code];
        }),
        failing.map(({ pk, index }) => [pk, `Line ${index}: BAD.`, "TIMEOUT"]),
      );
      assert.deepEqual(
        [report.successCount, report.failureCount, report.writtenSinceCount, report.remainingCount],
        [count("succeeds"), count("fails"), count("written since"), count("stays") + count("fails") + tornLine.length],
      );
      assert.equal(report.keptPath === null, !isCopied);
      for (const { line, reason } of report.notReplayable) {
        assert.match(found[line - 1] ?? "no line", /broken|"pk":null|DUPLICATE|unencodable|^\{"pk":"c"$/, reason);
      }
    }),
    { numRuns: 30, seed: 4 },
  );
});

test("of a file that pipelines share, a replay takes its own pipeline's rows, and leaves the others'", async () => {
  const site = mkdtempSync(join(folder, "shared "));
  const deadLetterPath = join(site, "failed.jsonl");
  type Note = { readonly id: string; readonly note: string };
  type Noted = { readonly pk: string; readonly raw: Note };
  const pipelineOf = (name: string) => {
    const sink = new MemorySink({
      columnMap: { id: (s: Noted) => s.pk, note: (s: Noted) => s.raw.note },
      mergeKeys: ["id"],
      reject: () => (isRefused ? "refused" : undefined),
    });
    const source = new MemorySource<Note>({ rows: [{ id: "1", note: `of ${name}` }], primaryKeyColumn: "id" });
    const files = { deadLetterPath, journalPath: join(site, `${name}.db`), payloadLog: "off" } as const;
    const pipeline = new Pipeline<Note>({
      name,
      source,
      llmProvider: new MockProvider(),
      onRowError: "dead_letter",
      ...files,
    });
    return { sink, pipeline: pipeline.to(sink) };
  };
  let isRefused = true;
  const [visits, bills] = [pipelineOf("visits"), pipelineOf("bills")];
  await visits.pipeline.run();
  await bills.pipeline.run();
  isRefused = false;
  const report = await visits.pipeline.replay();
  assert.deepEqual(visits.sink.rows, [{ id: "1", note: "of visits" }]);
  assert.deepEqual([report.successCount, report.remainingCount], [1, 1]);
  assert.deepEqual(
    readLines(deadLetterPath).map(({ pipeline }) => pipeline),
    ["bills"],
  );
});

test("what another process appends while the file is put in its place is in the new file", async () => {
  const path = join(mkdtempSync(join(folder, "followed ")), "failed.jsonl");
  const file = await new DeadLetterFile({ path }).open({ runId: "run-1", pipeline: "bills" });
  const row = { position: 1, pk: "1", step: null, raw: { id: "1" }, partialState: {}, retryCount: 0 };
  const error = new RowError("REFUSAL", "refused");
  await file.add({ ...row, error });
  renameSync(path, `${path}.kept`);
  writeFileSync(path, "");
  await file.add({ ...row, pk: "77", error });
  await file.close();
  assert.deepEqual(
    readLines(path).map(({ pk }) => pk),
    ["77"],
  );
});
