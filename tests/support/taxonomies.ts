import fc from "fast-check";
import type { LLMProvider, LLMRequest, TaxonomyNode } from "../../src/index.ts";

export interface Asked extends Pick<LLMRequest, "messages" | "schema"> {
  readonly system: string;
  readonly user: string;
  /** The codes that stand in the prompt, in their order. */
  readonly codes: readonly string[];
}

/** A provider that answers as a function says, and notes what it was asked. */
export function answering(answer: (asked: Asked) => object): {
  readonly llmProvider: LLMProvider;
  readonly asked: Asked[];
} {
  const asked: Asked[] = [];
  const complete: LLMProvider["complete"] = async ({ messages, schema }) => {
    const [system = "", user = ""] = messages.map(({ content }) => content);
    const one = { messages, schema, system, user, codes: codesIn(`${system}\n${user}`) };
    asked.push(one);
    const text = JSON.stringify(answer(one));
    const inputTokens = Math.ceil(messages.reduce((sum, { content }) => sum + content.length, 0) / 4);
    const usage = { inputTokens, cachedTokens: 0, outputTokens: Math.ceil(text.length / 4), reasoningTokens: 0 };
    return await Promise.resolve({ text, finishReason: "stop", model: "m", usage });
  };
  return { llmProvider: { name: "answering", fingerprint: () => "answering", complete }, asked };
}

function codesIn(prompt: string): readonly string[] {
  return [...prompt.matchAll(/^- ("(?:[^"\\]|\\.)*"): /gm)].map(([, code = '""']) => String(JSON.parse(code)));
}

/** The text that is asked about. */
export function textOf({ user }: Asked): string {
  return (/<text>\n([^]*)\n<\/text>/.exec(user)?.[1] ?? "").replaceAll("&lt;", "<");
}

/** A tree with as many nodes below each one as `widths` says, level by level. The codes of a node begin with that of the one above it. */
export function treeOf(widths: readonly number[]): readonly TaxonomyNode[] {
  const nodes: TaxonomyNode[] = [{ code: "n", name: "All" }];
  let level: readonly TaxonomyNode[] = nodes.slice();
  for (const width of widths) {
    level = level.flatMap(({ code: parent }) =>
      Array.from({ length: width }, (_, index): TaxonomyNode => {
        const code = `${parent}.${index}`;
        return { code, parent, name: `Node ${code}`, definition: `About ${code.replaceAll(".", "x")}` };
      }),
    );
    nodes.push(...level);
  }
  return nodes;
}

/** Trees of any form with one root, their nodes in any order. */
export const anyTree: fc.Arbitrary<readonly TaxonomyNode[]> = fc
  .array(fc.nat(), { minLength: 1, maxLength: 40 })
  .map((places): readonly TaxonomyNode[] =>
    places.map((place, index) => ({
      code: `c${index}`,
      parent: index === 0 ? null : `c${place % index}`,
      name: `Name <${index}>`,
      definition: `Definition ${index}`,
    })),
  )
  .chain((nodes) => fc.shuffledSubarray([...nodes], { minLength: nodes.length }));
