import assert from "node:assert/strict";
import { mkdtempSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { suite, test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { z } from "zod";
import type { Step } from "../../src/contracts/step.ts";
import type { GlobalState } from "../../src/engine/state.ts";
import { ClassifierStep, ExtractorStep, type PipelineOptions } from "../../src/index.ts";
import {
  OpenAICompatibleProvider,
  type OpenAICompatibleProviderOptions,
} from "../../src/llm/providers/openai-compatible.ts";
import { startCuttableProxy } from "../support/cuttable-proxy.ts";
import { type Note, type NotesRun, runNotes } from "../support/run-rows.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

/**
 * A real model behind a real server: LLM_ETL_TEST_MODEL_URL is its base URL, up to /v1, and LLM_ETL_TEST_MODEL its name ("local" by
 * default). The figures that a test prints are those of this model on this machine.
 */
const { LLM_ETL_TEST_MODEL_URL: baseURL = "", LLM_ETL_TEST_MODEL: model = "local" } = process.env;
const folder = temporaryFolder();
const skip = baseURL === "" ? "LLM_ETL_TEST_MODEL_URL is not set" : false;

/** Of banking77 (Casanueva et al. 2020, https://github.com/PolyAI-LDN/task-specific-datasets, CC BY 4.0): two texts of each of 12 categories. */
const labelled: readonly { readonly text: string; readonly category: string }[] = JSON.parse(
  readFileSync(new URL("banking77.json", import.meta.url), "utf8"),
);
const categories = [...new Set(labelled.map(({ category }) => category))].toSorted();
const rowsOf = (count: number): Note[] =>
  Array.from({ length: count }, (_, index) => ({
    id: `${index + 1}`,
    text:
      index < labelled.length ? (labelled[index]?.text ?? "") : `${labelled[index % labelled.length]?.text} (${index})`,
  }));

interface Given {
  readonly rows: readonly Note[];
  readonly provider?: Partial<OpenAICompatibleProviderOptions>;
  readonly options?: Partial<PipelineOptions<Note>>;
}

async function runStep<Out>(
  step: Step<GlobalState<Note>, "out", Out>,
  { rows, provider, options }: Given,
): Promise<NotesRun> {
  return await runNotes({
    folder: mkdtempSync(join(folder, "run ")),
    notes: rows,
    provider: new OpenAICompatibleProvider({ baseURL, model, ...provider }),
    step,
    options: { concurrency: 2, maxRowErrors: "never", ...options },
  });
}

const text = (s: GlobalState<Note>): string | null => s.raw.text;

/** As docs/local-models.md advises for small models: a row with a good category and a confidence of 3 is kept. */
function classifier(): ClassifierStep<GlobalState<Note>, "out", string, "first", "null"> {
  return new ClassifierStep({
    onInvalidConfidence: "null",
    name: "intent",
    taxonomy: categories.map((name) => ({
      name,
      definition: `The customer writes about: ${name.replaceAll("_", " ")}`,
    })),
    inputMap: { text },
    outputKey: "out",
  });
}

const letter =
  "Dear Sir or Madam, I am Anna Berger, customer number 48213. On 3 March 2024 I ordered two lamps at 39.90 euros each and one table at 120 euros. " +
  "The parcel arrived at 14 Lime Street, 90402 Nuremberg, on 9 March 2024, and one of the lamps was broken. Please send a new one. " +
  "You reach me at anna.berger@example.com or at +49 911 555 0147. I am quite angry: it is the second time. Kind regards, Anna Berger";

const Address = z.object({ street: z.string().max(60), city: z.string().max(40) });

/** Schemas of the kinds that people have, each with a field that is hard for a small model. */
const schemas: Readonly<Record<string, z.ZodObject>> = {
  nested: z.object({ customer: z.object({ name: z.string().max(60), address: Address }) }),
  "arrays with bounds": z.object({
    items: z
      .array(z.object({ name: z.string().max(40), count: z.int().min(1).max(9) }))
      .min(1)
      .max(4),
  }),
  nullable: z.object({ phone: z.string().max(30).nullable(), birthday: z.iso.date().nullable() }),
  dates: z.object({ orderedOn: z.iso.date(), arrivedOn: z.iso.date() }),
  enum: z.object({ wish: z.enum(["refund", "replacement", "information", "none"]), isAngry: z.boolean() }),
  union: z.object({
    contact: z.union([
      z.object({ kind: z.literal("email"), address: z.string().max(60) }),
      z.object({ kind: z.literal("phone"), number: z.string().max(30) }),
    ]),
  }),
  "numbers with bounds": z.object({ total: z.number().min(0).max(100_000), broken: z.int().min(0).max(20) }),
  pattern: z.object({ customerNumber: z.string().regex(/^\d{5}$/), postcode: z.string().regex(/^\d{5}$/) }),
};

const fieldsOf = (schema: z.ZodObject): string[] => Object.keys(schema.shape);

const Category = z.object({ category: z.string() });

suite("a real model", { concurrency: false }, () => {
  test("24 texts in 12 categories, strict: every row is written, with 1.3 calls a row at most", { skip }, async (t) => {
    const { report, outputOf } = await runStep(classifier(), { rows: rowsOf(24) });
    const right = labelled.filter(({ category }, index) => {
      return Category.safeParse(outputOf.get(`${index + 1}`)).data?.category === category;
    });
    const { calls, outputTokens } = report.usage;
    const nulls = JSON.stringify(report.invalidValues ?? {});
    t.diagnostic(
      `${calls} calls, ${outputTokens} tokens written, ${right.length} of 24 categories right, ${report.durationMs} ms, nulls: ${nulls}`,
    );
    assert.equal(report.successCount, 24, JSON.stringify(report.failuresByCode));
    assert.ok(calls <= 1.3 * 24, `${calls} calls`);
  });

  /** With `strict` it goes by the model: SmolLM2-135M fills in five, Gemma 3 270M three (docs/local-models.md). */
  for (const [dialect, fewest] of [["strict", 1] as const, ["grammar", 5] as const]) {
    test(
      `eight schemas, ${dialect}: ${fewest} or more are filled in, and each other fails with its fields`,
      { skip },
      async (t) => {
        let validCount = 0;
        for (const [name, schema] of Object.entries(schemas)) {
          const step = new ExtractorStep({
            ...{ name: "letter", schema, outputKey: "out", inputMap: { text } },
          });
          const { report, outputs, deadLetters } = await runStep(step, {
            rows: [{ id: "1", text: letter }],
            provider: { dialect },
          });
          validCount += report.successCount;
          const { error_code: code, error_message: message } = deadLetters[0] ?? {};
          t.diagnostic(
            `${name}: ${report.successCount === 1 ? JSON.stringify(outputs[0]) : `${code}: ${message}`} (${report.usage.calls} calls)`,
          );
          if (report.successCount === 0)
            assert.match(String(message), new RegExp(`\\b(?:reasoning|${fieldsOf(schema).join("|")})\\b`), name);
        }
        t.diagnostic(`${validCount} of ${Object.keys(schemas).length}`);
        assert.ok(validCount >= fewest, `${validCount} of ${Object.keys(schemas).length}`);
      },
    );
  }

  for (const concurrency of [1, 8]) {
    test(`a server that is gone for 20 s, ${concurrency} in flight: no row is lost`, { skip }, async (t) => {
      const proxy = await startCuttableProxy(new URL(baseURL));
      t.after(proxy.cut);
      const url = new URL(baseURL);
      url.port = String(proxy.port);
      const running = runStep(classifier(), {
        rows: rowsOf(16),
        provider: { baseURL: url.href },
        options: { concurrency },
      });
      await setTimeout(6000);
      proxy.cut();
      await setTimeout(20_000);
      await proxy.mend();
      const { report } = await running;
      t.diagnostic(
        `${report.usage.calls} calls, ${report.usage.unansweredCalls ?? 0} without an answer, ${report.durationMs} ms`,
      );
      assert.equal(report.successCount, 16, JSON.stringify(report.failuresByCode));
    });
  }

  test("64 in flight, 100 rows: no row is lost to slowness, and five calls time out at most", { skip }, async (t) => {
    const { report } = await runStep(classifier(), { rows: rowsOf(100), options: { concurrency: 64 } });
    const { calls, timedOutCalls = 0 } = report.usage;
    t.diagnostic(
      `${calls} calls, ${timedOutCalls} timed out, ${report.durationMs} ms, ${JSON.stringify(report.failuresByCode)}`,
    );
    // A row whose every answer is invalid is the model's; none may fail, or wait, because the server is slow.
    const ofModel = (report.failuresByCode["INVALID_OUTPUT"] ?? 0) + (report.failuresByCode["OUTPUT_TRUNCATED"] ?? 0);
    assert.equal(report.successCount + ofModel, 100, JSON.stringify(report.failuresByCode));
    assert.ok(report.successCount >= 95, `${report.successCount} written`);
    assert.ok(timedOutCalls <= 5, `${timedOutCalls} timed out`);
  });
});
