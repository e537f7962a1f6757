import type MiniSearch from "minisearch";
import { choiceLines } from "./choice-prompt.ts";
import type { Branch } from "./taxonomy.ts";

/** A row's words are looked up in so many leaves, the rarest words first: those that most leaves have say little, and take long. */
const mostLookedUp = 5000;

/** Finds the leaves of a taxonomy that share words with a text, by BM25 over their names, definitions and examples. */
export class CandidateIndex {
  readonly #index: MiniSearch;
  /** The number of leaves that have each word. */
  readonly #counts: ReadonlyMap<string, number>;
  readonly #leaves: readonly Branch[];
  readonly #lines: (string | undefined)[] = [];
  readonly #depth: number;
  readonly #count: number;

  private constructor(index: MiniSearch, leaves: readonly Branch[], { count, depth }: CandidateOptions) {
    this.#index = index;
    this.#counts = countsOf(leaves, depth);
    this.#leaves = leaves;
    this.#count = Math.min(count, leaves.length);
    this.#depth = depth;
  }

  static async of(leaves: readonly Branch[], options: CandidateOptions): Promise<CandidateIndex> {
    // Loaded when it is used: most pipelines have no such step.
    const { default: Index } = await import("minisearch");
    const index = new Index({
      fields: ["name", "above", "aliases", "definition", "examples"],
      tokenize: wordsIn,
      processTerm: (word) => word,
    });
    // By and by, so that signals and timers are served meanwhile: 20,000 leaves take seconds.
    await index.addAllAsync(
      leaves.map((leaf, id) => ({ id, ...textsOf(leaf, options.depth) })),
      { chunkSize: 200 },
    );
    return new CandidateIndex(index, leaves, options);
  }

  /** The candidates for a text, the likeliest first: as many as wanted, for the right one may share no word with it. */
  find(text: string): readonly Candidate[] {
    const found = new Set<number>();
    for (const { id } of this.#index.search(this.#rarest(text).join(" "))) {
      if (found.size >= this.#count) break;
      found.add(Number(id));
    }
    const step = this.#leaves.length / this.#count;
    for (let place = 0; found.size < this.#count; place += step) found.add(this.#freeFrom(Math.floor(place), found));
    return [...found].map((id) => this.#candidateAt(id));
  }

  /** The words to look up, each once: a long text repeats them. */
  #rarest(text: string): readonly string[] {
    const known = [...new Set(wordsIn(text))].flatMap((word) => {
      const count = this.#counts.get(word);
      return count === undefined ? [] : [{ word, count }];
    });
    let sum = 0;
    const looked = known.toSorted((one, other) => one.count - other.count);
    const some = looked.filter(({ count }, index) => (sum += count) <= mostLookedUp || index === 0);
    return some.map(({ word }) => word);
  }

  /** The first leaf from a place on that is not among these. */
  #freeFrom(place: number, taken: ReadonlySet<number>): number {
    let id = place % this.#leaves.length;
    while (taken.has(id)) id = (id + 1) % this.#leaves.length;
    return id;
  }

  #candidateAt(id: number): Candidate {
    const leaf = this.#leaves[id];
    if (leaf === undefined) throw new TypeError("the index has more entries than there are leaves");
    const lines = (this.#lines[id] ??= choiceLines(leaf, this.#depth));
    return { code: leaf.code, lines };
  }
}

/** The texts of a leaf, by what they are. */
function textsOf(
  { name, path, aliases, definition, examples }: Branch,
  depth: number,
): Readonly<Record<string, string>> {
  return {
    name,
    above: path.slice(depth, -1).join("\n"),
    aliases: aliases.join("\n"),
    definition,
    examples: examples.join("\n"),
  };
}

function countsOf(leaves: readonly Branch[], depth: number): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const leaf of leaves) {
    const words = new Set(Object.values(textsOf(leaf, depth)).flatMap(wordsIn));
    for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1);
  }
  return counts;
}

/** Scripts that are written without blanks between words, or with endings joined to them. */
const joinedScripts =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}]/u;

/** The words of a text; of scripts without blanks each two characters that follow each other. */
function wordsIn(text: string): string[] {
  const words =
    text
      .normalize("NFKC")
      .toLowerCase()
      .match(/[\p{L}\p{M}\p{N}]+/gu) ?? [];
  return words.flatMap((word) => (joinedScripts.test(word) ? pairsIn([...word]) : [word]));
}

function pairsIn(characters: readonly string[]): readonly string[] {
  if (characters.length < 3) return [characters.join("")];
  return characters.slice(1).map((character, index) => `${characters[index]}${character}`);
}

export interface CandidateOptions {
  readonly count: number;
  /** So many names of the paths are left out, for all have them. */
  readonly depth: number;
}

export interface Candidate {
  readonly code: string;
  /** Its lines in the user message. */
  readonly lines: string;
}
