import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";
import { stripVTControlCharacters } from "node:util";
import { z } from "zod";
import { runCommandLine } from "../../../src/cli/program.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";
import { commandLine, type Outcome, testTerminal } from "../../support/terminal.ts";

const folder = temporaryFolder();
const fixture = (name: string): string =>
  fileURLToPath(new URL(`../../fixtures/pipelines/${name}.ts`, import.meta.url));
const check = async (...words: string[]): Promise<Outcome> => await commandLine(["check", ...words]);

const Report = z.object({
  pipeline: z.string(),
  wouldRun: z.boolean(),
  findings: z.array(
    z.object({ subject: z.string(), status: z.string(), message: z.string(), code: z.string().optional() }),
  ),
  prompts: z.array(z.object({ step: z.string(), messages: z.array(z.object({ content: z.string() })).optional() })),
});

test("findings come in groups, then the prompts, then the result; exit code 0", async (t) => {
  const { exitCode, stdout, stderr } = await check(
    fixture("good"),
    "--param",
    "department=Cardiology",
    "--show-prompt",
  );
  assert.deepEqual([exitCode, stderr], [0, ""]);
  const headings = stdout.match(/^[A-Z][^:\n]+$/gm);
  assert.deepEqual(headings, ["Environment", "Providers", "Source", "Sink", "Files of a run", "Steps"]);
  assert.match(stdout, /^ {2}✓ source fixture {2}.*\bid \(text\), note \(text\)$/m);
  assert.match(stdout, /^Prompt of kind to mock\b.* \d+ input tokens, .* 512 output tokens$/m);
  assert.match(stdout, /^ {2}user:\n {4}<text>\n {4}Note 1 of Cardiology\.\n {4}<\/text>$/m);
  assert.match(stdout, /\n\nfixture: .*\b0 problems, 0 warnings\b.*\n$/);
  const withoutPrompts = stdout.slice(0, stdout.indexOf("Prompt of kind"));
  const summary = stdout.slice(stdout.lastIndexOf("fixture:"));
  t.assert.snapshot(withoutPrompts + summary, { serializers: [(text: string) => text.replaceAll(/\d[\d.]*/g, "0")] });
});

test("without --show-prompt nothing of the row is shown, and --no-prompts is still taken", async () => {
  assert.equal((await check(fixture("good"), "--no-prompts")).exitCode, 0);
  const { stdout } = await check(fixture("good"));
  assert.ok(!stdout.includes("Note 1"));
  assert.match(stdout, /✓ prompt of kind .*\d+ input tokens/);
});

test("as JSON it is one object, with every finding", async () => {
  const { stdout } = await check(fixture("good"), "--json", "--show-prompt");
  assert.equal(stdout.indexOf("\n"), stdout.length - 1);
  const report = Report.parse(JSON.parse(stdout));
  assert.deepEqual([report.pipeline, report.wouldRun, report.prompts[0]?.step], ["fixture", true, "kind"]);
  assert.match(report.prompts[0]?.messages?.[1]?.content ?? "", /Note 1 of all/);
  const bare = Report.parse(JSON.parse((await check(fixture("good"), "--json")).stdout));
  assert.equal(bare.prompts[0]?.messages, undefined);
});

test("a ping has a group of its own", async () => {
  const { exitCode, stdout } = await check(fixture("good"), "--ping");
  assert.equal(exitCode, 0);
  assert.match(stdout, /^Ping\n {2}✓ step kind +mock .*\b\d+ ms\b.*$/m);
});

test("in a narrow terminal messages are broken at blanks, and marks have colours where these are wanted", async () => {
  const terminal = testTerminal();
  let stdout = "";
  const write = (text: string, done?: () => void): void => {
    stdout += text;
    done?.();
  };
  const output = { write, columns: 50, hasColors: () => true };
  await runCommandLine(["check", fixture("good")], { ...terminal, stdout: output });
  assert.ok(stdout.includes("\u001B[32m✓\u001B[39m source fixture"));
  const plain = stripVTControlCharacters(stdout);
  const findings = plain.split("\n").filter((line) => line.startsWith("  "));
  assert.ok(
    findings.some((line) => /^ {20}note \(text\)$/.test(line)),
    plain,
  );
  assert.deepEqual(
    findings.filter((line) => line.length > 50),
    [],
  );
});

test("a row's text can't command the terminal", async () => {
  const path = join(folder, "escapes.mjs");
  const url = (file: string): string =>
    JSON.stringify(new URL(`../../../src/${file}`, pathToFileURL(import.meta.filename)).href);
  writeFileSync(
    path,
    `import { Pipeline, SummarizerStep } from ${url("index.ts")};
     import { MockProvider } from ${url("llm/providers/mock.ts")};
     import { MemorySource } from ${url("testing/memory-source.ts")};
     import { MemorySink } from ${url("testing/memory-sink.ts")};
     const rows = [{ id: "1", note: "red \\u001b[31m\\nnext" }];
     export default new Pipeline({ name: "escapes", source: new MemorySource({ rows, primaryKeyColumn: "id" }),
       llmProvider: new MockProvider(), journal: "off", payloadLog: "off" })
       .step(new SummarizerStep({ name: "short", inputMap: { text: (s) => s.raw.note }, outputKey: "short" }))
       .to(new MemorySink({ columnMap: { id: (s) => s.pk } }));`,
  );
  const { stdout } = await check(path, "--show-prompt");
  assert.match(stdout, /^ {4}red {2}\[31m\n {4}next$/m);
  assert.ok(!stdout.includes("\u001B"));
});

test("the help fits one screen, with an example that works", async () => {
  const { stdout } = await check("--help");
  const lines = stdout.trimEnd().split("\n");
  assert.ok(lines.length <= 24 && lines.every((line) => line.length <= 80), stdout);
  const [, example = ""] = /Example:\n {2}llm-etl (.*)$/m.exec(stdout) ?? [];
  const words = example.split(" ").map((word) => (word === "pipeline.ts" ? fixture("good") : word));
  assert.equal((await commandLine(words)).exitCode, 0, example);
});

test("a module without a pipeline is rejected, exit code 2", async () => {
  const { exitCode, stdout, stderr } = await check(fixture("no-sink"));
  assert.deepEqual([exitCode, stdout], [2, ""]);
  assert.match(stderr, /PIPELINE_MODULE_INVALID/);
});
