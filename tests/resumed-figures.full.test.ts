import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import { Tally } from "../src/pipeline/tally.ts";
import type { RunEvent } from "../src/index.ts";
import { type Ending, journaledFolder, notesIn, startCommand } from "./support/command.ts";
import { temporaryFolder } from "./support/temporary-folder.ts";

const folder = temporaryFolder();
const pipeline = fileURLToPath(new URL("fixtures/pipelines/audited.ts", import.meta.url));

const Figures = z.object({
  readCount: z.int(),
  successCount: z.int(),
  failureCount: z.int(),
  skippedCount: z.int(),
  unchangedCount: z.int(),
  pendingCount: z.int(),
  failuresByCode: z.record(z.string(), z.int()),
  usage: z.record(z.string(), z.int()),
  cost: z.object({ amount: z.number(), currency: z.string() }),
  savedCost: z.object({ amount: z.number(), currency: z.string() }),
  durationMs: z.int(),
});
type Figures = z.output<typeof Figures>;

/** One run as the journal has it, by `show` for programs and for people. */
async function shown(journal: string): Promise<{ figures: Figures; status: string; text: string }> {
  const words = ["show", "--journal", journal];
  const { status, figures } = z
    .object({ status: z.string(), figures: Figures })
    .parse(JSON.parse((await startCommand([...words, "--json"]).ended).stdout));
  return { status, figures, text: (await startCommand(words).ended).stdout };
}

/** The line of `runs` about the newest run, in words. */
async function listed(journal: string): Promise<readonly string[]> {
  const { stdout } = await startCommand(["runs", "--journal", journal, "--limit", "1"]).ended;
  return stdout.split("\n")[1]?.trim().split(/ {2,}/).slice(4) ?? [];
}

/** What the events of a run add up to, and what its last one says. */
function eventsOf({ stdout }: Ending): { added: Figures; reported: Figures } {
  const events = stdout
    .trimEnd()
    .split("\n")
    .map((line): RunEvent => JSON.parse(line));
  const tally = new Tally("USD");
  for (const event of events) tally.add(event);
  const last = events.at(-1);
  assert.equal(last?.type, "run-end");
  const reported = Figures.parse(last.report);
  return { reported, added: Figures.parse(tally.figures(reported.durationMs)) };
}

/** Numbers are added up in another order. */
function rounded({ cost, savedCost, ...figures }: Figures): object {
  return { ...figures, cost: cost.amount.toFixed(9), savedCost: savedCost.amount.toFixed(9) };
}

/** The number before a word, or 0: in summaries what is zero is left out. */
function numberBefore(word: string, text: string): number {
  return Number((new RegExp(`([\\d,]+) ${word}`).exec(text)?.[1] ?? "0").replaceAll(",", ""));
}

test("a run that is interrupted half-way, shown, resumed and shown again: terminal, events and journal agree", async () => {
  const FOLDER = journaledFolder(folder);
  const journal = join(FOLDER, "journal.db");

  const interrupted = startCommand(["run", pipeline, "--json"], { FOLDER });
  await interrupted.printed(/"type":"row-end","position":101,/);
  interrupted.child.kill("SIGINT");
  const first = await interrupted.ended;
  assert.equal(first.exitCode, 3, first.stderr);
  const { added, reported } = eventsOf(first);
  assert.ok(reported.readCount >= 100 && reported.readCount < 200, `${reported.readCount} rows`);
  assert.ok(
    reported.failureCount > 0 && (reported.usage["reAsks"] ?? 0) > 0,
    "nothing went wrong: it shows too little",
  );
  assert.deepEqual(rounded(added), rounded(reported));
  const afterFirst = await shown(journal);
  assert.equal(afterFirst.status, "aborted");
  assert.deepEqual(afterFirst.figures, reported);
  sameInText(afterFirst.text, reported);
  sameInList(await listed(journal), "aborted", reported);

  const resumed = await startCommand(["run", pipeline], { FOLDER }).ended;
  const afterSecond = await shown(journal);
  const { figures } = afterSecond;
  assert.deepEqual([resumed.exitCode, afterSecond.status], [1, "completed"], resumed.stderr);
  assert.equal(resumed.stdout, `Processed: ${figures.successCount}, Failed: ${figures.failureCount}\n`);
  assert.deepEqual([figures.readCount, notesIn(FOLDER).length], [200, figures.successCount]);
  assert.equal(figures.unchangedCount, reported.successCount);
  assert.equal(numberBefore("read", resumed.stderr), figures.readCount);
  assert.equal(numberBefore("written", resumed.stderr), figures.successCount - figures.unchangedCount);
  assert.equal(numberBefore("unchanged", resumed.stderr), figures.unchangedCount);
  assert.equal(numberBefore("failed", resumed.stderr), figures.failureCount);
  assert.equal(numberBefore("of them re-asks", resumed.stderr), figures.usage["reAsks"]);
  assert.equal(numberBefore("input", resumed.stderr), figures.usage["inputTokens"]);
  assert.equal(numberBefore("output", resumed.stderr), figures.usage["outputTokens"]);
  assert.equal(numberBefore("answers", resumed.stderr), figures.usage["reusedAnswers"]);
  for (const [code, count] of Object.entries(figures.failuresByCode))
    assert.equal(numberBefore(`× ${code}`, resumed.stderr), count);
  sameInText(afterSecond.text, figures);
  sameInList(await listed(journal), "completed", figures);
});

/** What `show` says to people is what it says to programs. */
function sameInText(text: string, { usage, failuresByCode, ...figures }: Figures): void {
  const lines = new Map(text.split("\n").map((line) => [line.slice(0, 16).trim(), line.slice(16).trim()]));
  assert.equal(lines.get("Read"), String(figures.readCount));
  assert.equal(lines.get("Written"), String(figures.successCount - figures.unchangedCount));
  assert.equal(lines.get("Unchanged"), String(figures.unchangedCount));
  assert.equal(lines.get("Failed"), String(figures.failureCount));
  assert.equal(lines.get("Pending"), String(figures.pendingCount));
  assert.equal(lines.get("Calls"), `${usage["calls"]}, ${usage["reAsks"]} of them re-asks`);
  assert.equal(numberBefore("× CONTENT_FILTER", text), failuresByCode["CONTENT_FILTER"] ?? 0);
}

/** And what `runs` lists is the same. */
function sameInList(cells: readonly string[], status: string, { usage, ...figures }: Figures): void {
  const written = figures.successCount - figures.unchangedCount;
  const counts = [figures.readCount, written, figures.unchangedCount, figures.failureCount, usage["calls"]];
  assert.deepEqual(cells.slice(0, 6), [status, ...counts.map(String)]);
}
