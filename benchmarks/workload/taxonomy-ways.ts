/** Each way to choose from a taxonomy, with a model that knows the right answer, as long as it is shown. */
import { Pipeline, ClassifierStep, type LLMRequest, taxonomyFrom } from "llm-etl";
import { MockProvider } from "llm-etl/llm/providers/mock";
import { MemorySink, MemorySource } from "llm-etl/testing";
import { codeOf, type Intent, intents, type Question } from "./banking77.ts";

export const ways = ["one prompt", "descend", "shortlist"] as const;
export type Way = (typeof ways)[number];

export interface WayFigures {
  readonly rows: number;
  readonly calls: number;
  readonly inputTokens: number;
  readonly right: number;
  /** Codes that the taxonomy does not have. */
  readonly outside: number;
  readonly seconds: number;
}

/** Classifies questions with the taxonomy that has so many examples of each intent. */
export async function classify(way: Way, asked: readonly Question[], known: readonly Question[]): Promise<WayFigures> {
  const nodes = intents(known, 5);
  const source = new MemorySource<Intent>({ rows: nodes, primaryKeyColumn: "code" });
  const taxonomy = await taxonomyFrom(source, { code: "code", parent: "parent", name: "name", examples: "examples" });
  const wanted = new Map(asked.map(({ text, category }) => [text, codeOf.get(category) ?? ""]));
  const sink = new MemorySink({
    columnMap: { text: (s: Finished) => s.raw.text, code: (s: Finished) => s.processed.intent.code },
  });
  const begun = performance.now();
  const report = await new Pipeline<Row>({
    name: "banking77",
    source: new MemorySource<Row>({
      rows: asked.map((question, index) => ({ id: `${index}`, ...question })),
      primaryKeyColumn: "id",
    }),
    llmProvider: new MockProvider({ responses: (request) => answerTo(request, wanted) }),
    payloadLog: "off",
    journal: "off",
  })
    .step(
      new ClassifierStep({
        name: "intent",
        taxonomy,
        ...(way !== "one prompt" && { search: way }),
        inputMap: { text: (s) => s.raw.text },
        outputKey: "intent",
      }),
    )
    .to(sink)
    .run();
  if (report.error !== null) throw report.error;
  const seconds = (performance.now() - begun) / 1000;
  const codes = new Set<unknown>(taxonomy.leaves.map(({ code }) => code));
  return {
    rows: report.successCount,
    calls: report.usage.calls,
    inputTokens: report.usage.inputTokens,
    right: sink.rows.filter(({ text, code }) => code === wanted.get(String(text))).length,
    outside: sink.rows.filter(({ code }) => !codes.has(code)).length,
    seconds,
  };
}

interface Row extends Question {
  readonly id: string;
}
interface Finished {
  readonly raw: Row;
  readonly processed: { readonly intent: { readonly code: string } };
}

/** The right code, or the group of it, if it is among the choices; else the first of them. */
function answerTo({ messages }: LLMRequest, wanted: ReadonlyMap<string, string>): { readonly json: unknown } {
  const [system = "", user = ""] = messages.map(({ content }) => content);
  const text = (/<text>\n([^]*)\n<\/text>$/.exec(user)?.[1] ?? "").replaceAll("&lt;", "<");
  const choices = [...`${system}\n${user}`.matchAll(/^- "([^"]+)": /gm)].map(([, code = ""]) => code);
  const right = wanted.get(text) ?? "";
  const code = choices.find((choice) => choice === right || right.startsWith(`${choice}.`)) ?? choices[0];
  return {
    json: { reasoning: "It says so.", code, confidence: 0.9, ...(system.includes("holds:") && { alternative: null }) },
  };
}
