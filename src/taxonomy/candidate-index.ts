import type MiniSearch from "minisearch";
import { choiceLines } from "./choice-prompt.ts";
import type { Branch } from "./taxonomy.ts";

/** Finds the leaves of a taxonomy that share words with a text, by BM25 over their names, definitions and examples. */
export class CandidateIndex {
  readonly #index: MiniSearch;
  readonly #leaves: readonly Branch[];
  readonly #lines: (string | undefined)[] = [];
  readonly #depth: number;
  readonly #count: number;

  private constructor(index: MiniSearch, leaves: readonly Branch[], { count, depth }: CandidateOptions) {
    this.#index = index;
    this.#leaves = leaves;
    this.#count = Math.min(count, leaves.length);
    this.#depth = depth;
  }

  static async of(leaves: readonly Branch[], options: CandidateOptions): Promise<CandidateIndex> {
    // Loaded when it is used: most pipelines have no such step.
    const { default: Index } = await import("minisearch");
    const index = new Index({ fields: ["name", "above", "aliases", "definition", "examples"] });
    const documents = leaves.map(({ name, path, aliases, definition, examples }, id) => ({
      id,
      name,
      above: path.slice(options.depth, -1).join("\n"),
      aliases: aliases.join("\n"),
      definition,
      examples: examples.join("\n"),
    }));
    index.addAll(documents);
    return new CandidateIndex(index, leaves, options);
  }

  /** The candidates for a text, the likeliest first: as many as wanted, for the right one may share no word with it. */
  find(text: string): readonly Candidate[] {
    const found = new Set<number>();
    // Each word counts once: a long text repeats them.
    const words = [...new Set(text.toLowerCase().match(/[\p{L}\p{N}]+/gu))].join(" ");
    for (const { id } of this.#index.search(words)) {
      if (found.size >= this.#count) break;
      found.add(Number(id));
    }
    const step = this.#leaves.length / this.#count;
    for (let place = 0; found.size < this.#count; place += step) found.add(this.#freeFrom(Math.floor(place), found));
    return [...found].map((id) => this.#candidateAt(id));
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
