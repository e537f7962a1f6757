import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { appendFile, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { interleave } from "../benchmarks/measure/interleave.ts";
import { medianRatio } from "../benchmarks/measure/statistics.ts";
import { readOptions } from "../benchmarks/options.ts";
import { markdown } from "../benchmarks/report/markdown.ts";
import { atLeast, atMost } from "../benchmarks/suites/suite.ts";
import { checkResult } from "../benchmarks/workload/check.ts";
import { noteOf, numberOf, writeNotes } from "../benchmarks/workload/notes.ts";
import { makeQuestions } from "../benchmarks/workload/questions.ts";
import { suites } from "../benchmarks/suites/list.ts";
import { run as runLoop } from "../benchmarks/tools/loop.ts";
import { startAzureOpenAISimulator } from "../src/testing/index.ts";
import { temporaryFolder } from "./support/temporary-folder.ts";

test("every suite runs on a few rows, and every tool does every row right with the calls that it needs", async () => {
  const bench = fileURLToPath(new URL("../benchmarks/bench.ts", import.meta.url));
  const { NODE_V8_COVERAGE: _, ...env } = process.env;
  const child = spawn(process.execPath, [bench, "--quick"], { env, stdio: ["ignore", "pipe", "pipe"] });
  const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, "exit")]);
  assert.equal(code, 0, stderr);
  assert.equal(stdout.match(/every row is right/g)?.length, suites.length, stdout);
});

test("a result with a row missing, one twice and one altered is found out", async (context) => {
  const folder = temporaryFolder();
  const input = join(folder, "notes.csv");
  const output = join(folder, "result.csv");
  const questions = makeQuestions();
  await writeNotes(input, 20);
  const simulator = await startAzureOpenAISimulator();
  context.after(simulator.close);
  const pipeline = { records: false };
  const { url: endpoint } = simulator;
  await runLoop({ endpoint, deployment: "gpt", input, output, folder, concurrency: 4, questions, pipeline });
  assert.deepEqual(await checkResult(output, 20, questions), { written: 20, lost: 0, duplicated: 0, wrong: 0 });

  const result = await readFile(output, "utf8");
  const row = /^enc-00000007,.*$/m.exec(result)?.[0] ?? assert.fail("row 7 is not in the result");
  await writeFile(output, result.replace(`${row}\n`, "").replace(/^(enc-00000005),[^,]*/m, "$1,Other"));
  await appendFile(output, `${/^enc-00000009,.*$/m.exec(result)?.[0]}\n`);
  assert.deepEqual(await checkResult(output, 20, questions), { written: 20, lost: 1, duplicated: 1, wrong: 1 });
});

test("a row of the workload is the same in every run, has 0.3 to 2 KB, and is like no other", () => {
  const notes = Array.from({ length: 500 }, (_, index) => noteOf(index + 1));
  assert.deepEqual(noteOf(7), notes[6]);
  assert.equal(numberOf(notes[6]?.id ?? ""), 7);
  const lengths = notes.map(({ note }) => note.length);
  assert.ok(
    Math.min(...lengths) >= 300 && Math.max(...lengths) <= 2000,
    `${Math.min(...lengths)} to ${Math.max(...lengths)}`,
  );
  assert.equal(new Set(notes.map(({ note }) => note)).size, 500);
});

test("ratios are taken within a repetition", () => {
  const ones = [2, 20, 200].map((seconds, index) => ({ repetition: index + 1, seconds }));
  const others = [100, 10, 1].map((seconds, index) => ({ repetition: 3 - index, seconds }));
  assert.equal(
    medianRatio(ones, others, ({ seconds }) => seconds),
    2,
  );
});

test("each repetition measures every tool once, and begins with another one", async () => {
  const order = await interleave(["a", "b", "c"], 3, async (tool, repetition) => `${tool}${repetition}`);
  assert.deepEqual(order, ["a1", "b1", "c1", "b2", "c2", "a2", "c3", "a3", "b3"]);
});

test("a budget is met at its limit and not beyond, and what was not measured is no budget", () => {
  const judged = { what: "wall", limit: 2, digits: 1 };
  assert.deepEqual(
    [2, 2.1].map((measured) => atMost({ ...judged, measured })[0]?.isMet),
    [true, false],
  );
  assert.deepEqual(
    [2, 1.9].map((measured) => atLeast({ ...judged, measured })[0]?.isMet),
    [true, false],
  );
  assert.deepEqual(atMost({ ...judged, measured: Number.NaN }), []);
});

test("the page says of each budget whether it is met", () => {
  const budget = { what: "wall", budget: "≤ 2", measured: "3.0" };
  const page = markdown([
    {
      suite: "wall",
      about: "How long it takes.",
      tables: [{ title: "10 rows", columns: ["tool", "seconds"], rows: [["a | b", 3]] }],
      budgets: [
        { ...budget, isMet: false },
        { ...budget, isMet: true },
      ],
      measurements: [],
      circumstances: { date: "2026-01-01 00:00", machine: "M", loadBefore: 0, versions: { node: "24" }, command: "C" },
    },
  ]);
  assert.match(page, /^1 of 2 are met\.$/m);
  assert.match(page, /^\| wall \| wall \| ≤ 2 \| 3\.0 \| \*\*no\*\* \|$/m);
  assert.match(page, /^\| a \\\| b \| 3 \|$/m);
});

test("an unknown suite, tool or count is refused by name", () => {
  assert.throws(
    () => readOptions(["--suite", "wall,speed"]),
    /--suite: there is no "speed"; expected some of start-up,/,
  );
  assert.throws(() => readOptions(["--tools", "langchain"]), /--tools: there is no "langchain"/);
  assert.throws(() => readOptions(["--rows", "1e4"]), /--rows: expected a whole number from 1 up, got "1e4"/);
  assert.deepEqual(readOptions(["--rows", "5", "--suite", "wall"]).rows, 5);
});
