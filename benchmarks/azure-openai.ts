/**
 * How runs against a metered and faulty service end, by the simulator's own counts. The simulator has a process of its
 * own. Usage: node benchmarks/azure-openai.ts [faults outage rpm rpm-paced tpm tpm-paced capacity]; run `npm run build` first.
 */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { setTimeout } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { ClassifierStep, Pipeline, type Quota, type RunReport, SummarizerStep } from "llm-etl";
import { AzureOpenAIProvider } from "llm-etl/llm/providers/azure-openai";
import {
  type AzureOpenAISimulatorChanges,
  type AzureOpenAISimulatorOptions,
  MemorySink,
  MemorySource,
  type SimulatorStatistics,
  startAzureOpenAISimulator,
} from "llm-etl/testing";

interface Result {
  readonly report: RunReport;
  readonly statistics: SimulatorStatistics;
  readonly rows: readonly Readonly<Record<string, unknown>>[];
  readonly seconds: number;
}

interface Case {
  readonly rows: number;
  readonly steps: 1 | 2;
  readonly concurrency: number;
  readonly simulator: AzureOpenAISimulatorOptions;
  readonly quota?: Quota;
  readonly timeoutMs?: number;
  /** Changes of the simulator while the run goes, each so many milliseconds after the start. */
  readonly changes?: readonly (readonly [number, AzureOpenAISimulatorChanges])[];
  readonly judge: (result: Result) => Readonly<Record<string, unknown>>;
}

const lognormal = { median: 250, sigma: 0.4 };
const rpm = 12_000;
/** Each request of the classifier counts about 690 tokens: 12,000 of them a minute would be 8.3 million. */
const tpm = 4_000_000;
const tokenWindowMs = 20_000;

const cases: Readonly<Record<string, Case>> = {
  faults: {
    rows: 10_000,
    steps: 2,
    concurrency: 64,
    timeoutMs: 1000,
    simulator: {
      seed: 7,
      faults: {
        serverError: 0.02,
        rateLimit: 0.03,
        connectionReset: 0.01,
        invalidJSON: 0.03,
        outOfRange: 0.01,
        hang: 0.002,
      },
    },
    judge: ({ report, statistics, rows }) => {
      const faults = Object.values(statistics.byFault).reduce((sum, count) => sum + count, 0);
      const minimum = 20_000 + faults;
      return {
        written: report.successCount,
        wrong: rows.filter((row) => !isRight(row)).length,
        calls: statistics.requests,
        minimum,
        over: `${(((statistics.requests - minimum) / minimum) * 100).toFixed(2)} %`,
        byFault: statistics.byFault,
        repeated: statistics.repeatedRequests,
      };
    },
  },
  outage: {
    rows: 6000,
    steps: 1,
    concurrency: 64,
    simulator: { latencyMs: 100 },
    changes: [
      [3000, { outage: "503" }],
      [33_000, { outage: false }],
    ],
    judge: ({ report, statistics }) => ({
      written: report.successCount,
      failed: report.failuresByCode,
      byStatus: statistics.byStatus,
    }),
  },
  rpm: quotaCase("rpm", undefined),
  "rpm-paced": quotaCase("rpm", { rpm }),
  tpm: quotaCase("tpm", undefined),
  "tpm-paced": quotaCase("tpm", { tpm }),
  capacity: {
    rows: 16_000,
    steps: 1,
    concurrency: 128,
    simulator: { latencyMs: lognormal, requestsPerMinute: rpm },
    changes: [
      [15_000, { requestsPerMinute: 0.4 * rpm }],
      [35_000, { requestsPerMinute: rpm }],
    ],
    judge: ({ report, statistics }) => ({
      written: report.successCount,
      failed: report.failuresByCode,
      byStatus: statistics.byStatus,
    }),
  },
};

function quotaCase(kind: "rpm" | "tpm", quota: Quota | undefined): Case {
  const limits = kind === "rpm" ? { requestsPerMinute: rpm } : { tokensPerMinute: tpm, tokenWindowMs };
  return {
    rows: kind === "rpm" ? 8000 : 6000,
    steps: 1,
    concurrency: 128,
    simulator: { latencyMs: lognormal, ...limits },
    ...(quota === undefined ? {} : { quota }),
    judge: ({ report, statistics, seconds }) => {
      const accepted = statistics.byStatus["200"] ?? 0;
      const rejected = statistics.byStatus["429"] ?? 0;
      return {
        written: report.successCount,
        seconds,
        "429s": `${((rejected / accepted) * 100).toFixed(2)} %`,
        rejected,
      };
    },
  };
}

async function main(names: readonly string[]): Promise<void> {
  for (const name of names.length === 0 ? Object.keys(cases) : names) {
    const chosen = cases[name];
    if (chosen === undefined) throw new Error(`no case ${name}; there are ${Object.keys(cases).join(", ")}`);
    const result = await runCase(chosen);
    console.log(name, { ...chosen.judge(result), throughput: throughput(result), status: result.report.status });
    if (result.report.error !== null) console.log(result.report.error.message);
  }
}

async function runCase({ rows, steps, concurrency, simulator, quota, timeoutMs, changes = [] }: Case): Promise<Result> {
  const child = fork(fileURLToPath(import.meta.url), ["--simulator"]);
  const { url } = await ask<{ url: string }>(child, { start: simulator });
  const llmProvider = new AzureOpenAIProvider({ endpoint: url, apiKey: "key", deployment: "gpt", timeoutMs, ...quota });
  const sink = new MemorySink({
    columnMap: {
      id: (s: State) => s.pk,
      category: (s: State) => s.processed.kind.category,
      confidence: (s: State) => s.processed.kind.confidence,
    },
  });
  const source = new MemorySource<{ id: string; note: string }>({ rows: () => notes(rows), primaryKeyColumn: "id" });
  const classified = new Pipeline({
    name: "bench",
    source,
    llmProvider,
    payloadLog: "off",
    journal: "off",
    onRowError: "skip",
    concurrency,
  }).step(
    new ClassifierStep({
      name: "kind",
      taxonomy: categories.map((category) => ({
        name: category,
        definition: `Everything about ${category.toLowerCase()}`,
      })),
      inputMap: { text: (s) => s.raw.note },
      outputKey: "kind",
    }),
  );
  const summarized = new SummarizerStep({
    name: "sum",
    outputKey: "sum",
    inputMap: { text: (s: { raw: { note: string } }) => s.raw.note },
  });
  const pipeline = steps === 1 ? classified.to(sink) : classified.step(summarized).to(sink);
  const startedMs = performance.now();
  const timeline = watch(changes, child);
  const progress: number[] = [];
  const report = await pipeline.run({
    onEvent: (event) => {
      if (event.type === "call-end" && event.errorCode === null) {
        const second = Math.floor((performance.now() - startedMs) / 1000);
        progress[second] = (progress[second] ?? 0) + 1;
      }
      if (process.env["SHOW_EVENTS"] && event.type === "gate-close") console.log(event);
    },
  });
  const seconds = (performance.now() - startedMs) / 1000;
  timeline.abort();
  const { statistics } = await ask<{ statistics: SimulatorStatistics }>(child, { stop: true });
  perSecond.set(report, progress);
  return { report, statistics, rows: sink.rows, seconds };
}

interface State {
  readonly pk: string;
  readonly processed: { readonly kind: { readonly category: string; readonly confidence: number } };
}

const categories = ["Card", "Transfer", "Account"];
const perSecond = new WeakMap<RunReport, readonly number[]>();

/** Calls that succeeded in each second: the last, unfinished one left out. */
function throughput({ report }: Result): string {
  const counts = Array.from(perSecond.get(report) ?? [], (count: number | undefined) => count ?? 0).slice(0, -1);
  return counts.join(" ");
}

function isRight({ category, confidence }: Readonly<Record<string, unknown>>): boolean {
  return categories.includes(String(category)) && Number(confidence) >= 0 && Number(confidence) <= 1;
}

function* notes(count: number): Generator<object> {
  for (let row = 1; row <= count; row += 1) {
    const topic = categories[row % categories.length] ?? "";
    yield { id: String(row), note: `Question ${row * 7919} about my ${topic.toLowerCase()}. It was fine last week.` };
  }
}

function watch(
  changes: readonly (readonly [number, AzureOpenAISimulatorChanges])[],
  child: ChildProcess,
): AbortController {
  const stop = new AbortController();
  for (const [afterMs, change] of changes) {
    setTimeout(afterMs, undefined, { signal: stop.signal }).then(
      async () => await ask(child, { change }),
      () => undefined,
    );
  }
  return stop;
}

interface Message {
  readonly start?: AzureOpenAISimulatorOptions;
  readonly change?: AzureOpenAISimulatorChanges;
  readonly stop?: boolean;
}

async function ask<Answer>(child: ChildProcess, message: Message): Promise<Answer> {
  child.send(message);
  const [answer]: unknown[] = await once(child, "message");
  return answer as Answer; // both ends are in this file
}

async function simulate(): Promise<void> {
  const [first]: unknown[] = await once(process, "message");
  const { start } = first as Message; // both ends are in this file
  const simulator = await startAzureOpenAISimulator(start);
  process.on("message", ({ change, stop }: Message) => {
    if (change !== undefined) {
      simulator.update(change);
      process.send?.({});
    }
    if (stop) {
      process.send?.({ statistics: simulator.statistics() });
      simulator.close().then(() => process.disconnect(), console.error);
    }
  });
  process.send?.({ url: simulator.url });
}

if (process.argv[2] === "--simulator") await simulate();
else await main(process.argv.slice(2));
