import type { FieldLimit, StepContext } from "../contracts/step.ts";
import { OptionError } from "../errors/option.ts";
import { Question, type QuestionSettings } from "../model-step/question.ts";
import type { RowInputs } from "../model-step/row-inputs.ts";
import type { LabelCounts, OnInvalidConfidence, ReasoningPlace } from "../validation/base-schemas.ts";
import { candidatesPrompt, listPrompt, type ListedChoice } from "./choice-prompt.ts";
import { type CodedAnswer, type CodedAnswerSchema, codedSchema } from "./coded-schema.ts";
import type { Branch } from "./taxonomy.ts";

export interface CodedQuestionsOptions<State> {
  readonly settings: QuestionSettings;
  readonly inputs: RowInputs<State>;
  /** Above all nodes of the taxonomy. */
  readonly top: Branch;
  readonly labels: LabelCounts | undefined;
  readonly none: string | undefined;
  readonly reasoning: ReasoningPlace | undefined;
  readonly maxReasoningCharacters: number | undefined;
  readonly onInvalidConfidence: OnInvalidConfidence | undefined;
}

export type CodedQuestion<State> = Question<State, CodedAnswerSchema>;

/** Makes the questions of a step about its taxonomy. */
export class CodedQuestions<State> {
  readonly #options: CodedQuestionsOptions<State>;
  /** By the code of each node, the nodes from the top to it. */
  readonly #ways: ReadonlyMap<string, readonly Branch[]>;
  readonly #limits = new WeakMap<readonly FieldLimit[], readonly FieldLimit[]>();

  constructor(options: CodedQuestionsOptions<State>) {
    this.#options = options;
    this.#ways = waysIn(options.top);
    this.#requireExamples();
  }

  /** The question which of these nodes it is. */
  ofList(list: Pick<ListedChoice, "choices" | "within" | "depth">, hasAlternative = false): CodedQuestion<State> {
    const { labels, none, settings } = this.#options;
    const listed = list.choices.map(({ code }) => code);
    const codes = none === undefined ? listed : [...listed, none];
    const examples = settings.examples?.flatMap((example) => {
      const code = this.#choiceFor(example.output, list.choices);
      return code === undefined ? [] : [{ ...example, output: { ...example.output, ...code } }];
    });
    const prompt = listPrompt({ ...list, labels, none });
    return this.#question(prompt, { codes, mostLabels: listed.length, hasAlternative }, examples);
  }

  /** The question which of at most so many candidates it is, which the user message names. */
  ofCandidates(count: number): CodedQuestion<State> {
    const { labels, none, settings } = this.#options;
    const prompt = candidatesPrompt({ labels, none });
    return this.#question(prompt, { codes: undefined, mostLabels: count }, settings.examples);
  }

  /** The context with those limits of columns that a model can keep: codes, names and paths are the taxonomy's. */
  contextOf(context: StepContext): StepContext {
    const { limits } = context;
    if (limits === undefined || limits.length === 0) return context;
    const known = this.#limits.get(limits);
    const own = known ?? limits.filter(({ path: [field = ""] }) => field === "reasoning" || field === "confidence");
    if (known === undefined) this.#limits.set(limits, own);
    return { ...context, limits: own };
  }

  #question(
    prompt: string,
    asked: Pick<Parameters<typeof codedSchema>[0], "codes" | "mostLabels" | "hasAlternative">,
    examples: QuestionSettings["examples"],
  ): CodedQuestion<State> {
    const { settings, inputs, labels, reasoning, maxReasoningCharacters, onInvalidConfidence } = this.#options;
    const shape = { ...asked, labels, reasoning, maxReasoningCharacters };
    const askedSchema = onInvalidConfidence === "null" ? codedSchema(shape) : undefined;
    const schema = codedSchema({ ...shape, onInvalidConfidence });
    return new Question({ ...settings, prompt, schema, askedSchema, inputs, examples, dataChoice: "code" });
  }

  /** The fields of an example's answer that differ for these choices; undefined where the example is of none of them. */
  #choiceFor(output: CodedAnswer, choices: readonly Branch[]): Pick<CodedAnswer, "code"> | undefined {
    const { code } = output;
    if (code === undefined) return {};
    if (code === this.#options.none) return { code };
    const way = new Set(this.#ways.get(code));
    const choice = choices.find((one) => way.has(one));
    return choice && { code: choice.code };
  }

  #requireExamples(): void {
    const { settings, none } = this.#options;
    for (const [index, example] of (settings.examples ?? []).entries()) {
      const output: CodedAnswer = Object(Object(example).output);
      const codes = [
        output.code,
        ...(Array.isArray(output.labels) ? output.labels.map((label) => Object(label).code) : []),
      ];
      const isLeaf = (code: unknown): boolean => {
        return typeof code !== "string" || code === none || this.#ways.get(code)?.at(-1)?.children.length === 0;
      };
      if (codes.every(isLeaf)) continue;
      const problem = `example ${index + 1}: its code is no leaf of the taxonomy`;
      throw new OptionError(`step "${settings.name}"`, "examples", problem, { example: index + 1 });
    }
  }
}

function waysIn(top: Branch): ReadonlyMap<string, readonly Branch[]> {
  const ways = new Map<string, readonly Branch[]>();
  const pending: (readonly Branch[])[] = top.children.map((child) => [child]);
  for (const way of pending) {
    const last = way.at(-1);
    if (last === undefined) continue;
    ways.set(last.code, way);
    for (const child of last.children) pending.push([...way, child]);
  }
  return ways;
}
