import { test } from "node:test";
import { GlobalState } from "../../src/engine/state.ts";
import { ClassifierStep, type Step } from "../../src/index.ts";
import { MockProvider } from "../../src/llm/providers/mock.ts";
import { checkMaps } from "../../src/pipeline/map-check.ts";
import { MemorySink } from "../../src/testing/memory-sink.ts";
import { MemorySource } from "../../src/testing/memory-source.ts";
import { assertSentences } from "../support/error-sentences.ts";

/** A state as a JavaScript user's functions see it. */
// oxlint-disable-next-line typescript/no-explicit-any -- a typing mistake does not compile otherwise
type Untyped = any;

/** The first problem of a column of this function, or of an input. */
function problemOf(read: (state: Untyped) => unknown, isInput = false, namesAreData = false): () => unknown {
  return () => {
    const step: Step<never, string, unknown> = new ClassifierStep({
      name: "kind",
      taxonomy: [{ name: "Card", definition: "A lost card" }],
      inputMap: { text: () => "x", ...(isInput && { context: read as () => string }) },
      outputKey: "kind",
    });
    const source = { ...new MemorySource<{ id: string }>({ rows: [], primaryKeyColumn: "id" }), namesAreData };
    const sink = new MemorySink({ columnMap: { id: () => "1", kind: isInput ? () => "x" : read } });
    const raw = { id: "1", "Jane Doe": "x", note: "Jane Doe has a cold" };
    const first = new GlobalState<object, Readonly<Record<string, unknown>>>({
      ...{ pk: "1", raw, processed: {}, log: [], startedAt: new Date(0) },
    });
    const limits = {
      kind: {
        schema: {},
        problemOf: (value: unknown) => {
          return Array.isArray(value)
            ? { message: "it can't hold an array", detail: "it can't hold an array" }
            : undefined;
        },
      },
    };
    const pipeline = { source, steps: [{ step, provider: new MockProvider() }], destinations: [{ sink }] };
    return checkMaps(pipeline, first, [limits]).problems[0]?.error;
  };
}

test("the sentences about functions of maps", async (t) => {
  await assertSentences(t, [
    problemOf((s) => s.processed.kind.catgory),
    problemOf((s) => s.processed.knd),
    problemOf((s) => s.processed.kind, true),
    problemOf((s) => s.raw.nots),
    problemOf((s) => s.raw.nots, true, true),
    problemOf((s) => s.raw["Jane Do"], false, true),
    problemOf((s) => s.raw[s.raw.note]),
    problemOf((s) => s.zzz),
    problemOf((s) => [s.pk]),
    problemOf(async (s) => await Promise.resolve(s.pk)),
    problemOf((s) => s.raw, true),
    problemOf((s) => JSON.parse(s.raw.note)),
  ]);
});
