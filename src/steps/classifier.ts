import type { z } from "zod";
import { OptionError } from "../errors/option.ts";
import { checkOptions, isCount, isName, isObject, isOneOf, type OptionCheck, optional } from "../errors/options.ts";
import type { OwnWay } from "../model-step/own-way.ts";
import { RowInputs } from "../model-step/row-inputs.ts";
import { type Category, namedQuestion } from "../taxonomy/categories.ts";
import type { CodedOutput, CodedSchema } from "../taxonomy/coded-schema.ts";
import { codedWay, type TaxonomySearch } from "../taxonomy/coded-way.ts";
import { requireLabels } from "../taxonomy/label-counts.ts";
import { Taxonomy } from "../taxonomy/taxonomy.ts";
import type {
  ClassifierOutputOptions,
  ClassifierSchema,
  LabelCounts,
  LabelsSchema,
  OnInvalidConfidence,
  ReasoningPlace,
} from "../validation/base-schemas.ts";
import { LLMStep, type LLMStepOptions, type ModelStepOptions, modelStepChecks } from "./llm-step.ts";

export type { Category } from "../taxonomy/categories.ts";

export interface ClassifierStepOptions<
  State,
  Key extends string,
  Name extends string,
  Place extends ReasoningPlace = "first",
  OnInvalid extends OnInvalidConfidence = "fail",
  Applies extends boolean = never,
  Several extends LabelCounts | undefined = undefined,
  Code extends string = never,
  None extends string = never,
>
  extends
    ModelStepOptions<
      State,
      Key,
      "text" | "context",
      Applies,
      z.input<Classified<NoInfer<Name>, Place, OnInvalid, Several, NoInfer<Code>, NoInfer<None>>["schema"]>
    >,
    ClassifierOutputOptions<Place, OnInvalid> {
  /**
   * The categories to choose from, written in the module, up to about 200 of them; or a taxonomy with codes, of `taxonomyFrom` or
   * `taxonomyOf`, up to 1,000 leaves, with `search` any number.
   */
  readonly taxonomy: readonly Category<Name>[] | Taxonomy<Code>;
  /**
   * The way to choose from a taxonomy with codes that is too large for one prompt. `"descend"`: level by level, a call for each, and two ways
   * where the model is unsure. `"shortlist"`: one call, about the `candidates` that share most words with the row. @default one prompt with all leaves
   */
  readonly search?: TaxonomySearch | undefined;
  /** So many leaves stand in the prompt with `search: "shortlist"`. @default 30 */
  readonly candidates?: number | undefined;
  /**
   * A further choice, for rows that no category fits: the output has this text as its category or code, and the reasoning says why.
   * @default the nearest category, with a low confidence
   *
   * @example none: "unclassified"
   */
  readonly none?: None | undefined;
  /**
   * Asks for several labels, each a category with a confidence, the surest first and none twice; how many of them is limited by `min` and
   * `max`, and `{}` allows any number. The output is then `{ labels, reasoning }`. @default one category
   *
   * @example labels: { min: 0, max: 5 }
   */
  readonly labels?: Several | undefined;
  /**
   * The place of the model's reasoning in its answer: `"first"` gives better categories, `false` leaves it out and saves about half of
   * the tokens of an answer. @default "first"
   */
  readonly reasoning?: Place | undefined;
  /**
   * The treatment of a confidence that is invalid (1.5, or "high"). `"fail"`: ask again, and fail the row if it is still so after the last
   * re-ask. `"null"`: keep the row with null, without a re-ask; the report counts the nulls in `invalidValues`. The category is as good:
   * small models often can't give a confidence, and 27 of 27 re-asks about it were in vain with one of them. @default "fail"
   */
  readonly onInvalidConfidence?: OnInvalid | undefined;
}

/**
 * Puts each row into exactly one category of the taxonomy, or with `labels` into several.
 *
 * Inputs: `text`, and optionally `context`. Output: `{ category, confidence, reasoning }`, with `labels` `{ labels: [{ category, confidence }],
 * reasoning }`; without `reasoning` where it is left out. Of a taxonomy with codes it has `code`, `name` and `path` in the place of `category`.
 */
export class ClassifierStep<
  State,
  const Key extends string,
  const Name extends string,
  const Place extends ReasoningPlace = "first",
  const OnInvalid extends OnInvalidConfidence = "fail",
  Applies extends boolean = never,
  Several extends LabelCounts | undefined = undefined,
  Code extends string = never,
  const None extends string = never,
> extends LLMStep<
  State,
  Key,
  Classified<Name, Place, OnInvalid, Several, Code, None>["schema"],
  Applies,
  Classified<Name, Place, OnInvalid, Several, Code, None>["output"]
> {
  /**
   * @throws {OptionError} for an empty taxonomy, a blank name, definition or example, a name that occurs twice, a taxonomy that is too large for one
   * prompt without `search`, and numbers of labels that can't be had
   */
  constructor(options: ClassifierStepOptions<State, Key, Name, Place, OnInvalid, Applies, Several, Code, None>) {
    checkOptions("ClassifierStep", options, {
      ...modelStepChecks,
      taxonomy: isObject,
      search: optional(isOneOf("descend", "shortlist")),
      candidates: optional(isCount(1)),
      none: optional(isName),
      labels: optional(isObject),
      reasoning: optional(isReasoningPlace),
      maxReasoningCharacters: optional(isCount(1)),
      onInvalidConfidence: optional(isOneOf("fail", "null")),
    });
    const { taxonomy, search: _, candidates: __, none, labels, reasoning, ...others } = options;
    const { maxReasoningCharacters, onInvalidConfidence, ...rest } = others;
    if (reasoning === false && maxReasoningCharacters !== undefined) {
      throw new OptionError("ClassifierStep", "maxReasoningCharacters", "there is no reasoning to limit", {
        hint: 'leave it out, or set reasoning: "first"',
      });
    }
    requireTogether(options);
    const answer = { reasoning, maxReasoningCharacters, onInvalidConfidence };
    const made: StepParts =
      taxonomy instanceof Taxonomy
        ? ofCodes(options, taxonomy)
        : { asked: namedQuestion(taxonomy, { ...answer, labels, none }) };
    // Which of the schemas and outputs it is, is known when it is called.
    type Made = Classified<Name, Place, OnInvalid, Several, Code, None>;
    const asked = { ...rest, ...made.asked } as unknown as LLMStepOptions<State, Key, Made["schema"], string, Applies>; // likewise
    super(asked, made.way as OwnWay<State, Made["schema"], Made["output"]> | undefined); // likewise
  }
}

/** The schema of an answer, of one category or code or of several labels, and the output: that of codes has more than a model fills in. */
type Classified<
  Name extends string,
  Place extends ReasoningPlace,
  OnInvalid extends OnInvalidConfidence,
  Several extends LabelCounts | undefined,
  Code extends string,
  None extends string,
> = [Code] extends [never]
  ? [Several] extends [undefined]
    ? Asked<ClassifierSchema<Name | None, Place, OnInvalid>>
    : Asked<LabelsSchema<Name, Place, OnInvalid>>
  : Asked<CodedSchema<Code | None, Place, OnInvalid, Several>, CodedOutput<Code | None, Place, OnInvalid, Several>>;

interface Asked<Schema extends z.ZodObject, Output = z.output<Schema>> {
  readonly schema: Schema;
  readonly output: Output;
}

/** The output of a {@link ClassifierStep} in `state.processed`. */
export type ClassifierOutput<
  Name extends string = string,
  Place extends ReasoningPlace = "first",
  OnInvalid extends OnInvalidConfidence = "fail",
> = z.output<ClassifierSchema<Name, Place, OnInvalid>>;

/** The output of a {@link ClassifierStep} with `labels`. */
export type LabelsOutput<
  Name extends string = string,
  Place extends ReasoningPlace = "first",
  OnInvalid extends OnInvalidConfidence = "fail",
> = z.output<LabelsSchema<Name, Place, OnInvalid>>;

const isReasoningPlace: OptionCheck = {
  expected: '"first", "last" or false',
  fits: (value) => value === false || isOneOf("first", "last").fits(value),
  required: true,
};

/** The options of a step that asks, and its way if that is its own. */
interface StepParts {
  readonly asked: Pick<LLMStepOptions<never, string, z.ZodObject>, "prompt" | "schema" | "askedSchema">;
  readonly way?: unknown;
}

type CodedOptions<State> = Omit<
  ClassifierStepOptions<
    State,
    string,
    string,
    ReasoningPlace,
    OnInvalidConfidence,
    boolean,
    LabelCounts | undefined,
    string,
    string
  >,
  "when" | "examples"
> &
  Pick<Parameters<typeof codedWay>[0]["settings"], "examples">;

function ofCodes<State>(options: CodedOptions<State>, taxonomy: Taxonomy): StepParts {
  const { name, inputMap, maxInputCharacters, onTooLong, candidates = 30, search, none, labels } = options;
  const { reasoning, maxReasoningCharacters, onInvalidConfidence } = options;
  const leafCount = taxonomy.leaves.length;
  if (labels !== undefined) requireLabels(labels, search === "shortlist" ? Math.min(candidates, leafCount) : leafCount);
  const inputs = new RowInputs({ step: name, inputMap, maxInputCharacters, onTooLong });
  const asked = { search, candidates, none, labels, reasoning, maxReasoningCharacters, onInvalidConfidence };
  const { question, outputs, ask, asking } = codedWay({ ...asked, taxonomy, inputs, settings: options });
  const way: OwnWay<State, z.ZodObject, unknown> = {
    question,
    run: async (state, context) => outputs.of(await ask(state, context)),
    outputSchema: outputs.schema,
    asking,
    settings: options,
  };
  const { prompt, schema, askedSchema } = question.options;
  return { asked: { prompt, schema, askedSchema }, way };
}

/** @throws {OptionError} for options that exclude each other */
function requireTogether({
  taxonomy,
  search,
  candidates,
  none,
  labels,
}: Pick<CodedOptions<never>, "taxonomy" | "search" | "candidates" | "none" | "labels">): void {
  const owner = "ClassifierStep";
  if (search !== undefined && !(taxonomy instanceof Taxonomy)) {
    const hint = "make one with taxonomyFrom or taxonomyOf";
    throw new OptionError(owner, "search", "", {
      expected: "a taxonomy with codes",
      got: "a list of categories",
      hint,
    });
  }
  if (candidates !== undefined && search !== "shortlist") {
    throw new OptionError(owner, "candidates", "there is no shortlist", { hint: 'write search: "shortlist"' });
  }
  if (none !== undefined && labels !== undefined) {
    const hint = "an empty list says that none fits: labels: { min: 0 }";
    throw new OptionError(owner, "none", "with several labels it would be one of them", { hint });
  }
}
