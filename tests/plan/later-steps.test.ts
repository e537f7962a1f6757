import assert from "node:assert/strict";
import { test } from "node:test";
import { ClassifierStep, Pipeline, type RunnablePipeline, SummarizerStep } from "../../src/index.ts";
import { randomFrom } from "../../src/plan/random.ts";
import { MemorySink } from "../../src/testing/memory-sink.ts";
import { MemorySource } from "../../src/testing/memory-source.ts";
import { BilledService, journalOf } from "../support/planned.ts";

type Context = Parameters<typeof journalOf>[0];

interface Case {
  readonly id: string;
  readonly note: string;
  readonly remark: string;
}

/** The first step is given the note, the second the remark. */
function twoTexts(t: Context, rows: readonly Case[], service: BilledService): RunnablePipeline {
  return new Pipeline<Case>({
    name: "two-texts",
    source: new MemorySource<Case>({ rows, primaryKeyColumn: "id" }),
    llmProvider: service.provider(),
    journal: journalOf(t),
    payloadLog: "off",
  })
    .step(
      new ClassifierStep({
        name: "kind",
        taxonomy: [
          { name: "Emergency", definition: "Urgent" },
          { name: "Routine", definition: "Planned" },
        ],
        inputMap: { text: (s) => s.raw.note },
        outputKey: "kind",
      }),
    )
    .step(new SummarizerStep({ name: "summary", inputMap: { text: (s) => s.raw.remark }, outputKey: "summary" }))
    .to(new MemorySink({ columnMap: { id: (s) => s.pk } }));
}

/** The number of tables of `count` whose cost and calls are both in their intervals. */
async function covered(t: Context, count: number, rowsOf: (random: () => number) => readonly Case[]): Promise<number> {
  let inBoth = 0;
  for (let seed = 1; seed <= count; seed += 1) {
    const service = new BilledService(seed);
    const pipeline = twoTexts(t, rowsOf(randomFrom(seed)), service);
    const { run, cost } = await pipeline.plan({ sample: 40, seed });
    const before = { calls: service.calls, bill: service.bill };
    await pipeline.run();
    const truths = [
      [run.calls, service.calls - before.calls],
      [cost?.tiers[0] ?? assert.fail("there are prices"), service.bill - before.bill],
    ] as const;
    if (truths.every(([{ low, high }, truth]) => low <= truth && truth <= (high ?? Infinity))) inBoth += 1;
  }
  return inBoth;
}

const remark = (index: number, random: () => number): string => `Remark ${index}: ${"cough ".repeat(60 * random())}`;

test("rows of one request that ask something of their own at a later step are not all measured: the interval knows", async (t) => {
  const tables = await covered(t, 10, (random) =>
    Array.from({ length: 300 }, (_, index) => {
      return { id: `${index}`, note: `Seen ${index % 20}.`, remark: remark(index, random) };
    }),
  );
  assert.ok(tables >= 9, `${tables} of 10`);
});

test("requests of a later step that one row in twenty shares are not met in a sample: the interval reaches below them", async (t) => {
  const tables = await covered(t, 10, (random) =>
    Array.from({ length: 400 }, (_, index) => {
      const isShared = random() < 0.05;
      return { id: `${index}`, note: `Note ${index}.`, remark: isShared ? "None." : remark(index, random) };
    }),
  );
  assert.ok(tables >= 9, `${tables} of 10`);
});
