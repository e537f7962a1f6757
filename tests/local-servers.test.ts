import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { z } from "zod";
import { type AdmissionOptions, ClassifierStep, ExtractorStep, Pipeline, type RunReport } from "../src/index.ts";
import {
  OpenAICompatibleProvider,
  type OpenAICompatibleProviderOptions,
} from "../src/llm/providers/openai-compatible.ts";
import { MemorySink } from "../src/testing/memory-sink.ts";
import { MemorySource } from "../src/testing/memory-source.ts";
import type { SimulatorFaultName, SimulatorRequest } from "../src/testing/simulator/faults.ts";
import type { AzureOpenAISimulatorOptions } from "../src/testing/simulator/options.ts";
import type { SimulatorStatistics } from "../src/testing/simulator/statistics.ts";
import { simulatorFor } from "./support/simulator.ts";

interface Row {
  readonly id: string;
  readonly note: string;
}

const inputMap = { text: ({ raw }: { readonly raw: Row }) => raw.note };
const base = { name: "work", inputMap, outputKey: "out", maxOutputTokens: 160 } as const;

const steps = {
  ClassifierStep: () =>
    new ClassifierStep({
      ...base,
      taxonomy: [
        { name: "Card", definition: "a card" },
        { name: "Transfer", definition: "money sent" },
      ],
    }),
  ExtractorStep: () =>
    new ExtractorStep({
      ...base,
      schema: z.object({
        dueDate: z.iso.date().nullable(),
        amount: z.number().min(0).max(1000),
        items: z.array(z.object({ label: z.string().max(40), pieces: z.int().min(1).max(9) })).max(3),
      }),
    }),
} as const;
type StepName = keyof typeof steps;
const stepNames = ["ClassifierStep", "ExtractorStep"] as const;

interface Setup {
  readonly step?: StepName;
  readonly rows?: number;
  readonly simulator?: AzureOpenAISimulatorOptions;
  readonly provider?: Partial<OpenAICompatibleProviderOptions>;
  readonly concurrency?: number;
  readonly admission?: AdmissionOptions;
}

interface Outcome {
  readonly report: RunReport;
  readonly statistics: SimulatorStatistics;
  readonly written: readonly Readonly<Record<string, unknown>>[];
}

/** Runs a step over rows, against a simulated server of one's own. */
async function runAgainst(context: TestContext, setup: Setup): Promise<Outcome> {
  const { step = "ClassifierStep", rows = 6, provider, concurrency = 4, admission } = setup;
  const simulator = await simulatorFor(context, { apiKeys: [], ...setup.simulator });
  const sink = new MemorySink({
    columnMap: {
      id: (s: { pk: string; processed: { out: object } }) => s.pk,
      out: (s) => JSON.stringify(s.processed.out),
    },
  });
  const report = await new Pipeline<Row>({
    name: "local",
    source: new MemorySource<Row>({
      rows: Array.from({ length: rows }, (_, index) => ({
        id: `r${index}`,
        note: `Note ${index * 7919} is about a card. It was lost in Rome.`,
      })),
      primaryKeyColumn: "id",
    }),
    llmProvider: new OpenAICompatibleProvider({ baseURL: `${simulator.url}/v1`, model: "small", ...provider }),
    payloadLog: "off",
    journal: "off",
    onRowError: "skip",
    concurrency,
    admission: { retryDelayMs: [1, 5], probeDelayMs: [5, 20], ...admission },
  })
    .step<"out", object>(steps[step]())
    .to(sink)
    .run();
  return { report, statistics: simulator.statistics(), written: sink.rows };
}

for (const step of stepNames) {
  test(`${step}: a model that is not shown the schema answers every row in one call, for it is told the fields`, async (context) => {
    const { report, statistics, written } = await runAgainst(context, { step, simulator: { showsSchema: false } });
    assert.deepEqual([report.exitCode, report.successCount, written.length, statistics.requests], [0, 6, 6, 6]);
  });

  test(`${step}: a model that is told nothing of the fields loses rows, or takes more calls`, async (context) => {
    const { report, statistics } = await runAgainst(context, {
      step,
      simulator: { showsSchema: false },
      provider: { describeSchema: false },
    });
    assert.ok(report.skippedCount > 0 || statistics.requests > 6, `${statistics.requests} calls`);
    assert.ok(statistics.requests > report.successCount);
    assert.equal(report.readCount, 6);
  });

  for (const dialect of ["json_object", "none"] as const) {
    test(`${step}, ${dialect}: the schema stands in the messages, whatever the server shows`, async (context) => {
      const simulator = { showsSchema: false, responseFormats: ["text", "json_object"] } as const;
      const { report, statistics } = await runAgainst(context, { step, simulator, provider: { dialect } });
      assert.deepEqual([report.successCount, statistics.requests], [6, 6]);
    });
  }

  for (const fault of ["loop", "schemaEcho", "prose"] as const) {
    test(`${step}: ${fault} once a row is asked for again within the same tokens, and the row is written`, async (context) => {
      const { seen, ...simulator } = onceARow(fault);
      const { report, statistics, written } = await runAgainst(context, { step, simulator });
      assert.deepEqual([report.exitCode, written.length, statistics.requests], [0, 6, 12]);
      assert.equal(report.usage.reAsks, 6);
      assert.deepEqual([...new Set(seen.map(({ body }) => body["max_tokens"]))], [160]);
      const form = '{"reasoning": ';
      for (const { timesSeen, messages } of fault === "schemaEcho" ? seen : []) {
        const isShown = messages.some(({ content }) => content.includes(form));
        assert.equal(isShown, timesSeen === 1, "the re-ask says what to return instead");
      }
    });
  }
}

/** A fault for the first request about each row. */
function onceARow(fault: SimulatorFaultName) {
  const seen: SimulatorRequest[] = [];
  return {
    seen,
    faultsBy: "row",
    fault: (request: SimulatorRequest): SimulatorFaultName | undefined => {
      seen.push(request);
      return request.timesSeen === 0 ? fault : undefined;
    },
  } as const;
}

for (const dialect of ["strict", "json_object"] as const) {
  for (const concurrency of [1, 64]) {
    test(`${dialect}, concurrency ${concurrency}: a 500 for a form that the server does not know ends the run, and a dialect is named`, async (context) => {
      const responseFormats = dialect === "strict" ? (["text", "json_object"] as const) : (["text"] as const);
      const { report, statistics } = await runAgainst(context, {
        rows: 20,
        simulator: { responseFormats },
        provider: { dialect },
        concurrency,
        admission: { stallTimeoutMs: 10_000 }, // taken for an outage, it would be waited for
      });
      assert.deepEqual([report.exitCode, report.error?.code, report.successCount], [3, "BAD_REQUEST", 0]);
      assert.match(String(report.error?.facts["expected"]), /^dialect: /);
      assert.equal(report.error?.facts["got"], `dialect: "${dialect}"`);
      assert.equal(report.pendingCount, report.readCount, "no row is blamed");
      assert.ok(statistics.requests <= 5, `${statistics.requests} calls`);
    });
  }
}

test("a server of one slot that works on for clients that have left: few calls time out, and no row fails", async (context) => {
  const { report, statistics } = await runAgainst(context, {
    rows: 60,
    simulator: { slots: 1, latencyMs: 40 }, // all 60 at once would wait for 2,400 ms
    provider: { timeoutMs: 2000 },
    concurrency: 64,
  });
  assert.deepEqual([report.exitCode, report.successCount], [0, 60]);
  assert.ok((report.usage.timedOutCalls ?? 0) <= 5, `${report.usage.timedOutCalls} timed out`);
  assert.ok(statistics.requests <= 65, `${statistics.requests} calls`);
});
