/** A run with a limit on its cost, against a service that loses, cuts and spoils answers. In a process of its own it can be killed. */
import { Pipeline, SummarizerStep } from "../../src/index.ts";
import { SQLiteJournal } from "../../src/journals/sqlite.ts";
import { OpenAICompatibleProvider } from "../../src/llm/providers/openai-compatible.ts";
import { MemorySink } from "../../src/testing/memory-sink.ts";
import { MemorySource } from "../../src/testing/memory-source.ts";
import { randomNumbers } from "./random-numbers.ts";

/** A table and the way in which a model is asked about it. */
export interface CappedTask {
  readonly seed: number;
  readonly rows: number;
  readonly tier?: "flex" | "priority" | undefined;
  /** @default false */
  readonly reasoning?: boolean;
}

/** JSON, for a process of its own. */
export interface CappedJob extends CappedTask {
  /** The address of the simulator. */
  readonly url: string;
  /** In the currency of {@link trialPrices}. @default no limit */
  readonly maxCost?: number | undefined;
  /** @default no journal */
  readonly journal?: string | undefined;
}

export interface CappedOutcome {
  /** The cost that the report tells. */
  readonly cost: number;
  readonly calls: number;
  readonly reAsks: number;
  /** Where the run stopped at its limit: what it has booked, and the call that did not fit. */
  readonly stopped: { readonly spent: number; readonly worstCase: number } | undefined;
}

export const trialPrices = {
  inputPerMillion: 2,
  cachedInputPerMillion: 0.5,
  cacheWritePerMillion: 2.5,
  outputPerMillion: 8,
  currency: "USD",
} as const;

const maxOutputTokens = 400;

interface Note {
  readonly id: string;
  readonly note: string;
}

export async function runCapped({ url, journal, maxCost, ...task }: CappedJob): Promise<CappedOutcome> {
  const { tier, reasoning = false } = task;
  const report = await new Pipeline<Note>({
    name: "capped",
    source: new MemorySource<Note>({ rows: notesOf(task), primaryKeyColumn: "id" }),
    llmProvider: new OpenAICompatibleProvider({
      baseURL: `${url}/v1`,
      model: "m",
      apiKey: "any",
      prices: trialPrices,
      timeoutMs: 1500,
      tier,
      ...(reasoning && { reasoning: true, maxReasoningTokens: 150 }),
    }),
    concurrency: 256,
    admission: { retryDelayMs: [1, 10], probeDelayMs: [5, 20] },
    maxCost,
    onRowError: "skip",
    maxRowErrors: "never",
    payloadLog: "off",
    journal: journal === undefined ? "off" : new SQLiteJournal({ path: journal }),
  })
    .step(
      new SummarizerStep({
        name: "short",
        instructions,
        maxOutputTokens,
        inputMap: { text: (s) => s.raw.note },
        outputKey: "short",
      }),
    )
    .to(new MemorySink({ columnMap: { id: (s) => s.pk, text: (s) => s.processed.short.text } }))
    .run({ fresh: true }); // a target in memory does not have what an earlier process wrote
  const { error, cost, usage } = report;
  if (error !== null && error.code !== "LIMIT_REACHED") throw error;
  const { spent, worstCase } = error?.facts ?? {};
  return {
    cost: cost?.amount ?? 0,
    calls: usage.calls,
    reAsks: usage.reAsks,
    stopped: error === null ? undefined : { spent: Number(spent), worstCase: Number(worstCase) },
  };
}

/** So long that a service caches it. */
const instructions = "Keep to what the note says, and leave out whatever names a person. ".repeat(60);

/** Notes of very different lengths. */
function notesOf({ seed, rows }: CappedTask): readonly Note[] {
  const random = randomNumbers(seed);
  return Array.from({ length: rows }, (_, index) => {
    const length = Math.exp(3 + 4 * random());
    return { id: String(index), note: `Note ${index} of ${seed}: ${"äbc def <g> ".repeat(length / 12)}`.trim() };
  });
}
