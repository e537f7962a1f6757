import type { Asking, StepContext } from "../contracts/step.ts";
import { OptionError } from "../errors/option.ts";
import type { QuestionSettings } from "../model-step/question.ts";
import type { RowInputs } from "../model-step/row-inputs.ts";
import type { LabelCounts, OnInvalidConfidence, ReasoningPlace } from "../validation/base-schemas.ts";
import { fitsEnum } from "../validation/strict-schema.ts";
import { CodedOutputs } from "./coded-output.ts";
import { type CodedQuestion, CodedQuestions } from "./coded-questions.ts";
import type { CodedAnswer } from "./coded-schema.ts";
import { Descent } from "./descent.ts";
import { callsIn, hasFurther, questionedIn, throughOnly } from "./levels.ts";
import { Shortlist } from "./shortlist.ts";
import { type Branch, branchOf, leavesOf, type Taxonomy } from "./taxonomy.ts";

/** The way to choose from a taxonomy that is too large for one prompt. */
export type TaxonomySearch = "descend" | "shortlist";

export interface CodedWayOptions<State> {
  readonly taxonomy: Taxonomy;
  /** @default all leaves in one prompt */
  readonly search: TaxonomySearch | undefined;
  /** So many candidates, with `search: "shortlist"`. */
  readonly candidates: number;
  readonly none: string | undefined;
  readonly labels: LabelCounts | undefined;
  readonly reasoning: ReasoningPlace | undefined;
  readonly maxReasoningCharacters: number | undefined;
  readonly onInvalidConfidence: OnInvalidConfidence | undefined;
  readonly settings: QuestionSettings;
  readonly inputs: RowInputs<State>;
}

/** How a step asks about a taxonomy with codes. */
export interface CodedWay<State> {
  readonly question: CodedQuestion<State>;
  readonly outputs: CodedOutputs;
  readonly ask: (state: State, context: StepContext) => Promise<CodedAnswer>;
  readonly asking: () => Asking;
}

const owner = "ClassifierStep";

/** @throws {OptionError} for a taxonomy that is too large for its search, and options that exclude each other */
export function codedWay<State>(options: CodedWayOptions<State>): CodedWay<State> {
  const { taxonomy, search } = options;
  const top = branchOf(taxonomy.nodes);
  requireFitting(options, top);
  const questions = new CodedQuestions({ ...options, top });
  const start = throughOnly(top);
  const depth = start.children.length === 0 ? start.path.length - 1 : start.path.length;
  const parts = { ...options, top, leaves: leavesOf(top), depth, questions };
  const isDescent = search === "descend" && taxonomy.leaves.length > 1;
  const asked = search === "shortlist" ? byShortlist(parts) : isDescent ? byDescent(parts) : inOnePrompt(parts);
  return {
    question: asked.question,
    outputs: new CodedOutputs({ ...options, leaves: taxonomy.leaves }),
    ask: async (state, context) => await asked.ask(state, questions.contextOf(context)),
    asking: () => ({ fields: Object.keys(asked.question.strict.json.properties ?? {}), ...asked.asking() }),
  };
}

interface Parts<State> extends CodedWayOptions<State> {
  readonly top: Branch;
  readonly leaves: readonly Branch[];
  /** So many names of the paths are left out in prompts, for all leaves have them. */
  readonly depth: number;
  readonly questions: CodedQuestions<State>;
}

type Asked<State> = Pick<CodedWay<State>, "question" | "ask"> & { readonly asking: () => Omit<Asking, "fields"> };

function inOnePrompt<State>({ leaves, depth, questions }: Parts<State>): Asked<State> {
  return withOneCall(questions.ofList({ choices: leaves, within: [], depth }));
}

function byShortlist<State>({ leaves, depth, questions, candidates, inputs, none }: Parts<State>): Asked<State> {
  const question = questions.ofCandidates(candidates);
  const { ask } = new Shortlist({ leaves, depth, count: candidates, inputs, question, none });
  return { ...withOneCall(question), ask };
}

function withOneCall<State>(question: CodedQuestion<State>): Asked<State> {
  const { length } = question.system;
  return {
    question,
    ask: async (state, context) => await question.ask(state, context),
    asking: () => ({ calls: { least: 1, most: 1 }, prompts: { count: 1, shortest: length, longest: length } }),
  };
}

function byDescent<State>({ top, questions, none }: Parts<State>): Asked<State> {
  const descent = new Descent(top, questions, none);
  return { question: descent.first, ask: descent.ask, asking: () => descent.asking() };
}

function requireFitting<State>(options: CodedWayOptions<State>, top: Branch): void {
  const { taxonomy, search, none, labels } = options;
  if (none !== undefined && taxonomy.nodes.some(({ code }) => code === none)) {
    throw new OptionError(owner, "none", "it is a code of the taxonomy", { expected: "a text that is no code" });
  }
  if (search === "descend" && labels !== undefined) {
    throw new OptionError(owner, "labels", 'search: "descend" finds one label', { hint: 'write search: "shortlist"' });
  }
  if (search === "descend") requireNarrow(top, none);
  if (search !== undefined) return;
  const codes = taxonomy.leaves.map(({ code }) => code);
  if (fitsEnum(withNone(codes, none))) return;
  throw new OptionError(owner, "search", `the ${codes.length} leaves of the taxonomy don't fit one prompt`, {
    expected: '"descend" or "shortlist"',
    got: "nothing",
    leaves: codes.length,
    hint: `"shortlist" takes 1 call a row; "descend" ${descentWords(top, none)}`,
  });
}

function descentWords(top: Branch, none: string | undefined): string {
  const wide = tooWide(top, none);
  if (wide !== undefined)
    return `needs a tree with fewer than the ${wide.children.length} nodes on one level below one node`;
  const { least, most } = callsIn(top, none !== undefined);
  return `takes ${least === most ? least : `${least} to ${most}`} calls a row`;
}

/** A node with more below it than one schema lists. */
function tooWide(top: Branch, none: string | undefined): Branch | undefined {
  return questionedIn(top).find((at) => {
    const codes = at.children.map(({ code }) => code);
    return !fitsEnum(withNone(codes, none), hasFurther(at) ? 2 : 1);
  });
}

function requireNarrow(top: Branch, none: string | undefined): void {
  const wide = tooWide(top, none);
  if (wide === undefined) return;
  const children = wide.children.length;
  throw new OptionError(owner, "search", `a node has ${children} others below it, which don't fit one prompt`, {
    children,
    hint: 'write search: "shortlist"',
  });
}

function withNone(codes: readonly string[], none: string | undefined): readonly string[] {
  return none === undefined ? codes : [...codes, none];
}
