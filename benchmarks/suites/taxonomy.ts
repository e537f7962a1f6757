/** How often a shortlist has the right leaf, and what each way to choose from a taxonomy costs a row. */
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { CandidateIndex } from "../../src/taxonomy/candidate-index.ts";
import { branchOf, leavesOf } from "../../src/taxonomy/taxonomy.ts";
import { codeOf, intents, type Question, questionsIn } from "../workload/banking77.ts";
import { classify, ways, type Way, type WayFigures } from "../workload/taxonomy-ways.ts";
import { atLeast, atMost, type Suite } from "./suite.ts";

const folder = fileURLToPath(new URL("../../../shared/data/banking77/", import.meta.url));

const exampleCounts = [0, 1, 3, 5, 10];
const sizes = [10, 20, 30, 50];

export const taxonomy: Suite = {
  name: "taxonomy",
  minutes: 1,
  tools: [],
  run: async ({ rows, isQuick, log }) => {
    if (!isQuick && !existsSync(folder)) throw new Error(`the suite taxonomy needs Banking77 in ${folder}`);
    const known = isQuick ? madeUp(5, "please") : await questionsIn(folder, "train");
    const all = isQuick ? madeUp(1, "I ask about") : await questionsIn(folder, "test");
    const asked = all.slice(0, rows ?? all.length);
    const recalls: Recall[] = [];
    for (const examples of exampleCounts) {
      const recall = { examples, ...(await recallOf(known, asked, examples)) };
      recalls.push(recall);
      log(`names and ${examples} examples: ${recall.shares.map((share) => share.toFixed(3)).join(", ")}`);
    }
    const measured: (WayFigures & { readonly way: Way })[] = [];
    for (const way of ways) {
      const figures = await classify(way, asked, known);
      if (figures.rows !== new Set(asked).size) throw new Error(`${way}: ${JSON.stringify(figures)}`);
      measured.push({ way, ...figures });
      log(`${way}: ${JSON.stringify(figures)}`);
    }
    const recall = recalls.find(({ examples }) => examples === 5)?.shares[sizes.indexOf(30)];
    return {
      about:
        `Banking77 (77 intents in 8 groups): ${asked.length} questions of test.csv; examples are the first of each intent in train.csv. The model of the second table is a mock that ` +
        "gives the right code where it is shown it; tokens are characters by four, the schema aside.",
      tables: [
        {
          title: "share of questions whose intent is among the candidates",
          columns: ["the index has", ...sizes.map((size) => `of ${size}`), "µs a question"],
          rows: recalls.map(({ examples, shares, microseconds }) => [
            examples === 0 ? "names" : `names, ${examples} examples`,
            ...shares.map((share) => share.toFixed(3)),
            microseconds.toFixed(0),
          ]),
        },
        {
          title: "each way, with 5 examples",
          columns: ["way", "calls a row", "input tokens a row", "right", "codes outside"],
          rows: measured.map((one) => [
            one.way,
            (one.calls / one.rows).toFixed(2),
            (one.inputTokens / one.rows).toFixed(0),
            (one.right / one.rows).toFixed(3),
            one.outside,
          ]),
        },
      ],
      budgets: [
        ...(isQuick
          ? []
          : atLeast({
              what: "recall of 30 candidates, names and 5 examples",
              limit: 0.95,
              measured: recall,
              digits: 3,
            })),
        ...measured.flatMap(({ way, outside }) =>
          atMost({ what: `codes outside the taxonomy, ${way}`, limit: 0, measured: outside, digits: 0 }),
        ),
      ],
      measurements: [...recalls, ...measured],
    };
  },
};

interface Recall {
  readonly examples: number;
  /** By size of the shortlist. */
  readonly shares: readonly number[];
  readonly microseconds: number;
}

async function recallOf(
  known: readonly Question[],
  asked: readonly Question[],
  examples: number,
): Promise<Omit<Recall, "examples">> {
  const leaves = leavesOf(branchOf(intents(known, examples)));
  const index = await CandidateIndex.of(leaves, { count: Math.max(...sizes), depth: 1 });
  const begun = performance.now();
  const places = asked.map(({ text, category }) => {
    return index.find(text).findIndex(({ code }) => code === codeOf.get(category));
  });
  const microseconds = ((performance.now() - begun) * 1000) / asked.length;
  const shares = sizes.map((size) => places.filter((place) => place !== -1 && place < size).length / asked.length);
  return { shares, microseconds };
}

/** Questions that need no data, for a look if everything works. */
function madeUp(count: number, words: string): readonly Question[] {
  return [...codeOf.keys()].flatMap((category) =>
    Array.from({ length: count }, (_, index) => ({
      category,
      text: `${words} ${category.replaceAll("_", " ")} ${index}`,
    })),
  );
}
