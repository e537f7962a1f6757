import { fromData, type JSONSchema } from "../json/json-schema.ts";
import type { LabelCounts, OnInvalidConfidence, ReasoningPlace } from "../validation/base-schemas.ts";
import type { CodedAnswer, CodedLabel } from "./coded-schema.ts";
import type { TaxonomyLeaf } from "./taxonomy.ts";

export interface CodedOutputOptions {
  readonly leaves: readonly TaxonomyLeaf[];
  readonly none: string | undefined;
  readonly labels: LabelCounts | undefined;
  readonly reasoning: ReasoningPlace | undefined;
  readonly onInvalidConfidence: OnInvalidConfidence | undefined;
}

/** Makes the output of a step of what a model answered: names and paths are the taxonomy's. */
export class CodedOutputs {
  readonly schema: JSONSchema;
  readonly #leaves: ReadonlyMap<string, TaxonomyLeaf>;
  readonly #options: CodedOutputOptions;

  constructor(options: CodedOutputOptions) {
    this.#options = options;
    this.#leaves = new Map(options.leaves.map((leaf) => [leaf.code, leaf]));
    this.schema = schemaOf(options);
  }

  /** The output for an answer whose codes are leaves, or the code that none fits. */
  of(answer: CodedAnswer): object {
    const { reasoning, code = "", confidence = null, labels } = answer;
    const found =
      this.#options.labels === undefined
        ? this.#labelOf(code, confidence)
        : { labels: (labels ?? []).map((label) => this.#labelOf(label.code, label.confidence)) };
    if (reasoning === undefined) return found;
    return this.#options.reasoning === "last" ? { ...found, reasoning } : { reasoning, ...found };
  }

  #labelOf(code: string, confidence: number | null): CodedLabel<string, OnInvalidConfidence> {
    const { name = code, path = noPath } = this.#leaves.get(code) ?? {};
    return { code, name, path, confidence };
  }
}

const noPath: readonly string[] = Object.freeze([]);

function schemaOf({ leaves, none, labels, reasoning, onInvalidConfidence }: CodedOutputOptions): JSONSchema {
  const others = none === undefined ? [] : [none];
  const choice = (values: readonly string[]): JSONSchema => ({
    type: "string",
    enum: [...new Set([...values, ...others])],
    [fromData]: true,
  });
  const number: JSONSchema = { type: "number", minimum: 0, maximum: 1 };
  const label = closed({
    code: choice(leaves.map(({ code }) => code)),
    name: choice(leaves.map(({ name }) => name)),
    path: { type: "array", items: { type: "string" } },
    confidence: onInvalidConfidence === "null" ? { anyOf: [number, { type: "null" }] } : number,
  });
  const fields = labels === undefined ? (label.properties ?? {}) : { labels: { type: "array", items: label } as const };
  const reasons: JSONSchema = { type: "string" };
  if (reasoning === false) return closed(fields);
  return closed(reasoning === "last" ? { ...fields, reasoning: reasons } : { reasoning: reasons, ...fields });
}

function closed(properties: NonNullable<JSONSchema["properties"]>): JSONSchema {
  return { type: "object", properties, required: Object.keys(properties), additionalProperties: false };
}
