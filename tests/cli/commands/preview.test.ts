import assert from "node:assert/strict";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import { commandLine, type Outcome } from "../../support/terminal.ts";

const fixture = (name: string): string =>
  fileURLToPath(new URL(`../../fixtures/pipelines/${name}.ts`, import.meta.url));
const preview = async (...words: string[]): Promise<Outcome> => await commandLine(["preview", ...words]);

const Row = z.object({
  position: z.number(),
  pk: z.string().nullable(),
  state: z.object({ pk: z.string(), processed: z.record(z.string(), z.unknown()) }).nullable(),
  values: z.record(z.string(), z.unknown()).nullable(),
});
const Report = z.object({ rows: z.array(Row), successCount: z.number(), usage: z.object({ calls: z.number() }) });

test("each row is shown with its columns on stdout, the calls on stderr; exit code 0", async () => {
  const { exitCode, stdout, stderr } = await preview(
    fixture("good"),
    "--rows",
    "2",
    "--param",
    "department=Cardiology",
  );
  assert.equal(exitCode, 0, stderr);
  assert.deepEqual(stdout.match(/^Row \d+ \(.*\)$/gm)?.length, 2);
  assert.match(stdout, /^ {2}\w+ +\S/m);
  assert.match(stderr, /\b2 rows finished\b.*\n.*\bcalls +2\b/);
});

test("as JSON it is one object, with the rows and the report", async () => {
  const { stdout, exitCode } = await preview(fixture("good"), "--rows", "1", "--json");
  assert.equal(exitCode, 0);
  assert.equal(stdout.indexOf("\n"), stdout.length - 1);
  const { rows, successCount, usage } = Report.parse(JSON.parse(stdout));
  assert.deepEqual([rows.length, successCount, usage.calls], [1, 1, 1]);
  assert.equal(rows[0]?.position, 1);
  assert.ok(rows[0]?.state !== null && Object.hasOwn(rows[0]?.state.processed ?? {}, "kind"));
});

test("a sample takes a seed; a seed without a sample is rejected with exit code 2", async () => {
  const one = await preview(fixture("good"), "--sample", "--seed", "3", "--json");
  const again = await preview(fixture("good"), "--sample", "--seed", "3", "--json");
  const keys = ({ stdout }: Outcome): unknown => Report.parse(JSON.parse(stdout)).rows.map(({ pk }) => pk);
  assert.deepEqual(keys(one), keys(again));
  const { exitCode, stderr } = await preview(fixture("good"), "--seed", "3");
  assert.equal(exitCode, 2);
  assert.match(stderr, /INVALID_OPTION/);
});
