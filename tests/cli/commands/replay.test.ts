import assert from "node:assert/strict";
import { EventEmitter } from "node:events";
import { appendFileSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { sameSignalMs } from "../../../src/cli/signals.ts";
import { readLines } from "../../support/run-rows.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";
import { commandLine } from "../../support/terminal.ts";

const folder = temporaryFolder();

const source = (path: string): string => JSON.stringify(new URL(`../../../src/${path}`, import.meta.url).href);

/** Six rows, of which the model refuses four: r1 and r2 with CONTENT_FILTER, r3 and r4 with REFUSAL. */
const pipelineModule = `
  import { ClassifierStep, Pipeline, ProviderError } from ${source("index.ts")};
  import { MockProvider } from ${source("llm/providers/mock.ts")};
  import { MemorySink } from ${source("testing/memory-sink.ts")};
  import { MemorySource } from ${source("testing/memory-source.ts")};

  const refused = (code) => new ProviderError("row", code, "mock: refused");
  const rows = [1, 2, 3, 4, 5, 6].map((number) => ({ id: "r" + number, note: "Note " + number + "." }));
  const here = (name) => new URL(name, import.meta.url);
  export default new Pipeline({
    name: "replayed",
    source: new MemorySource({ rows, primaryKeyColumn: "id" }),
    llmProvider: new MockProvider({
      responses: ({ messages }) => {
        const { content } = messages[1];
        return /Note [12]/.test(content) ? refused("CONTENT_FILTER") : /Note [34]/.test(content) ? refused("REFUSAL") : undefined;
      },
    }),
    onRowError: "dead_letter",
    deadLetterPath: here("failed.jsonl"),
    payloadLog: "off",
    journalPath: here("journal.db"),
  })
    .step(new ClassifierStep({ name: "kind", taxonomy: [{ name: "Only", definition: "all" }], inputMap: { text: (s) => s.raw.note }, outputKey: "kind" }))
    .to(new MemorySink({ columnMap: { id: (s) => s.pk }, mergeKeys: ["id"] }));
`;

/** The pipeline with a sink of its own: the journal would miss the rows in one that is made anew. */
function intoAnotherTable(module: string): string {
  return module.replace('mergeKeys: ["id"]', 'mergeKeys: ["id"], identity: "another"');
}

function providerModule(options: string): string {
  return `import { MockProvider } from ${source("llm/providers/mock.ts")}; export default new MockProvider(${options});`;
}

interface Site {
  readonly failed: string;
  readonly pipeline: string;
  /** Answers everything. */
  readonly willing: string;
  /** Does not answer before it is aborted. */
  readonly slow: string;
}

/** A folder with a pipeline that has run, its dead letter file and some providers. */
async function newSite(): Promise<Site> {
  const place = mkdtempSync(join(folder, "site "));
  const write = (name: string, text: string): string => {
    writeFileSync(join(place, name), text);
    return join(place, name);
  };
  const pipeline = write("pipeline.mjs", pipelineModule);
  const willing = write("willing.mjs", providerModule("{ seed: 2 }"));
  const slow = write("slow.mjs", providerModule("{ latencyMs: 1_000_000 }"));
  assert.equal((await commandLine(["run", pipeline])).stdout, "Processed: 2, Failed: 4\n");
  return { failed: join(place, "failed.jsonl"), pipeline, willing, slow };
}

test("it replays the file through the pipeline; --provider is asked instead of the pipeline's; all fine is exit code 0", async () => {
  const { failed, pipeline, willing } = await newSite();
  const words = ["replay", failed, "--pipeline", pipeline, "--provider", willing, "--concurrency", "1"];
  const { exitCode, stdout, stderr } = await commandLine(words);
  assert.equal(stdout, "Replayed: 4, Succeeded: 4, Failed: 0, Written since: 0, Remaining: 0\n");
  assert.match(stderr, /^ {2}rows +4 read, 4 written$/m);
  assert.match(stderr, /\nThe file as it was: .*failed\.\d{8}T\d{9}Z\.jsonl\n$/);
  assert.equal(exitCode, 0);
  assert.equal(readFileSync(failed, "utf8"), "");
});

test("rows that fail again stay, and are counted by code: exit code 1", async () => {
  const { failed, pipeline } = await newSite();
  const { exitCode, stdout, stderr } = await commandLine(["replay", failed, "--pipeline", pipeline]);
  assert.equal(stdout, "Replayed: 4, Succeeded: 0, Failed: 4, Written since: 0, Remaining: 4\n");
  assert.match(stderr, /^ {2}rows +4 read, 0 written, 4 failed$/m);
  for (const [code, first] of [
    ["CONTENT_FILTER", "row 1 (r1)"],
    ["REFUSAL", "row 3 (r3)"],
  ]) {
    assert.ok(stderr.includes(` 2 × ${code}, first ${first} at step kind:\n            mock: refused\n`), stderr);
  }
  assert.match(stderr, /^ {2}kept in .*failed\.jsonl,/m);
  assert.equal(exitCode, 1);
});

test("--code takes rows with that error code only, and can be repeated", async () => {
  const { failed, pipeline, willing } = await newSite();
  const words = ["replay", failed, "--pipeline", pipeline, "--provider", willing];
  const some = await commandLine([...words, "--code", "REFUSAL"]);
  assert.equal(some.stdout, "Replayed: 2, Succeeded: 2, Failed: 0, Written since: 0, Remaining: 2\n");
  assert.deepEqual(
    readLines(failed).map((line) => line["error_code"]),
    ["CONTENT_FILTER", "CONTENT_FILTER"],
  );
  const rest = await commandLine([...words, "--code", "REFUSAL", "--code", "CONTENT_FILTER"]);
  assert.equal(rest.stdout, "Replayed: 2, Succeeded: 2, Failed: 0, Written since: 0, Remaining: 0\n");
});

test("lines that can't be replayed stand on stderr with their number and why, the first 20, and without what is in them", async () => {
  const { failed, pipeline, willing } = await newSite();
  appendFileSync(failed, "secret note\n".repeat(23));
  const { exitCode, stdout, stderr } = await commandLine([
    ...["replay", failed, "--pipeline", pipeline],
    ...["--provider", willing, "--code", "TIMEOUT"],
  ]);
  assert.equal(stdout, "Replayed: 0, Succeeded: 0, Failed: 0, Written since: 0, Remaining: 27\n");
  const lines = stderr.split("\n");
  const start = lines.indexOf("Not replayable: 23");
  assert.deepEqual([start > 0, lines.at(-2)], [true, "  and 3 more"], stderr);
  assert.equal(lines[start + 1], "  line 5: is not JSON in UTF-8: a crash cut it off, or it was edited");
  assert.equal(lines.filter((line) => /^ {2}line \d+: /.test(line)).length, 20);
  assert.ok(!stderr.includes("secret"), stderr);
  assert.equal(exitCode, 0);
});

test("SIGINT stops the replay, and a second one at once: what was not done stays, exit code 3", async () => {
  const { failed, pipeline, slow } = await newSite();
  const before = readFileSync(failed, "utf8");
  const signals = new EventEmitter();
  const replaying = commandLine(["replay", failed, "--pipeline", pipeline, "--provider", slow], signals);
  while (signals.listenerCount("SIGTERM") === 0) await new Promise((resolve) => setImmediate(resolve));
  signals.emit("SIGINT");
  await new Promise((resolve) => setTimeout(resolve, sameSignalMs + 50)); // nearer together they are one
  signals.emit("SIGINT");
  const { exitCode, stdout, stderr } = await replaying;
  assert.equal(exitCode, 3);
  assert.match(stdout, /Succeeded: 0, Failed: 0, Written since: 0, Remaining: 4\n$/);
  assert.match(
    stderr,
    /aborted: llm-etl: SIGINT stopped the run \[ABORTED\]\n(?: {2}at tests.*\n)? {2}see .*\.md#aborted\nRun the same command again to go on\.\n$/,
  );
  assert.equal(readFileSync(failed, "utf8"), before);
  assert.equal(signals.listenerCount("SIGINT"), 0);
});

test("rows that the source no longer gives are counted apart, and the others said to be as they are there", async () => {
  const { failed, pipeline, willing } = await newSite();
  const shorter = join(dirname(pipeline), "shorter.mjs"); // a module is imported once a process
  writeFileSync(shorter, intoAnotherTable(pipelineModule).replace("[1, 2, 3, 4, 5, 6]", "[2, 3, 4, 5]"));
  const words = ["replay", failed, "--pipeline", shorter, "--provider", willing];
  const { exitCode, stdout, stderr } = await commandLine(words);
  assert.equal(stdout, "Replayed: 3, Succeeded: 3, Failed: 0, Written since: 0, Not in source: 1, Remaining: 1\n");
  assert.match(stderr, /^As the source has them now: 3$/m);
  assert.match(stderr, /^Not in the source any more: 1 /m);
  assert.doesNotMatch(stderr, /^As they were when they failed/m);
  assert.equal(exitCode, 0);
  assert.deepEqual(
    readLines(failed).map(({ pk }) => pk),
    ["r1"],
  );
});

test("--param is for the source's statement; a source that takes none says so, and nothing is done", async () => {
  const { failed, pipeline, willing } = await newSite();
  const words = ["replay", failed, "--pipeline", pipeline, "--provider", willing, "--param", "day=today"];
  const { exitCode, stdout, stderr } = await commandLine(words);
  assert.equal(exitCode, 2);
  assert.match(stdout, /^Replayed: 0, .* Remaining: 4\n$/);
  assert.match(stderr, /it takes no parameters/);
});

test("the summary of a run names a replay where there can be one, and not for a sink that writes its file anew", async () => {
  const { pipeline } = await newSite();
  const into = async (name: string, change: (text: string) => string): Promise<string> => {
    const module = join(dirname(pipeline), name);
    writeFileSync(module, change(pipelineModule));
    return (await commandLine(["run", module])).stderr;
  };
  assert.match(await into("table.mjs", intoAnotherTable), /fix the cause and run again, or .*llm-etl replay$/m);
  const csv = `import { CSVSink } from ${source("sinks/csv.ts")};`;
  const toCSV = (text: string): string =>
    `${csv}${text}`.replace(
      /new MemorySink\(.*\)\)/,
      'new CSVSink({ filePath: here("out.csv"), columnMap: { id: (s) => s.pk } }))',
    );
  const stderr = await into("csv.mjs", toCSV);
  assert.match(stderr, /fix the cause and run again$/m);
  assert.doesNotMatch(stderr, /llm-etl replay/);
});

test("without a file the pipeline's own dead letters are replayed", async () => {
  const { pipeline } = await newSite();
  const { exitCode, stdout } = await commandLine(["replay", "--pipeline", pipeline]);
  assert.equal(exitCode, 1);
  assert.match(stdout, /^Replayed: 4, /);
});

test("what is missing or wrong on the command line is said in one sentence, exit code 2", async () => {
  const { failed, pipeline, willing } = await newSite();
  const cases: [string[], RegExp][] = [
    [[failed], /required option '--pipeline <pipeline\.ts>' not specified/],
    [[`${failed}.not-there`, "--pipeline", pipeline], /does not exist: .* \[DEAD_LETTER_UNREADABLE\]\n {2}see .*\n$/],
    [[failed, "--pipeline", willing], /not a pipeline/],
    [[failed, "--pipeline", pipeline, "--provider", pipeline], /not a provider/],
    [[failed, "--pipeline", pipeline, "--code", "REFUSED"], /no row of the file has failed with "REFUSED"/],
    [[failed, "--pipeline", pipeline, "--concurrency", "0"], /Expected a whole number from 1 up/],
  ];
  for (const [words, message] of cases) {
    const { exitCode, stdout, stderr } = await commandLine(["replay", ...words]);
    assert.deepEqual([exitCode, stdout], [2, ""], words.join(" "));
    assert.match(stderr, message);
    assert.doesNotMatch(stderr, /\n {4}at /);
  }
  assert.equal(readLines(failed).length, 4);
});

test("--json: the events, then what became of the file; the words of the summary stand nowhere", async () => {
  const { failed, pipeline } = await newSite();
  appendFileSync(failed, "no JSON\n");
  const { exitCode, stdout, stderr } = await commandLine(["replay", failed, "--pipeline", pipeline, "--json"]);
  assert.deepEqual([exitCode, stderr], [1, ""]);
  const lines = stdout.trimEnd().split("\n");
  const events = lines.map((line): { type: string; kind?: string; report?: object } => JSON.parse(line));
  assert.deepEqual([events[0]?.type, events[0]?.kind], ["run-start", "replay"]);
  const [end, last] = events.slice(-2);
  assert.deepEqual([end?.type, last?.type], ["run-end", "replay-end"]);
  const { notReplayable, remainingCount, ...rest }: Record<string, unknown> = { ...last?.report };
  assert.deepEqual(notReplayable, [{ line: 1, reason: "is not JSON in UTF-8: a crash cut it off, or it was edited" }]);
  assert.equal(remainingCount, 5);
  for (const [name, value] of Object.entries({ ...end?.report })) assert.deepEqual(rest[name], value, name);
});

test("--quiet leaves only the result", async () => {
  const { failed, pipeline, willing } = await newSite();
  const words = ["replay", failed, "--pipeline", pipeline, "--provider", willing, "--quiet"];
  assert.deepEqual(await commandLine(words), {
    exitCode: 0,
    stdout: "Replayed: 4, Succeeded: 4, Failed: 0, Written since: 0, Remaining: 0\n",
    stderr: "",
  });
});
