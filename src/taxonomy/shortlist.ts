import type { StepContext } from "../contracts/step.ts";
import { closest } from "../errors/closest.ts";
import { quote } from "../errors/wording.ts";
import { block, type RowInputs } from "../model-step/row-inputs.ts";
import type { Issue } from "../validation/issues.ts";
import { CandidateIndex, type CandidateOptions } from "./candidate-index.ts";
import type { CodedQuestion } from "./coded-questions.ts";
import { candidatesInput, type CodedAnswer } from "./coded-schema.ts";
import type { Branch } from "./taxonomy.ts";

export interface ShortlistOptions<State> extends CandidateOptions {
  readonly leaves: readonly Branch[];
  readonly inputs: RowInputs<State>;
  readonly question: CodedQuestion<State>;
  readonly none: string | undefined;
}

/** Asks once, about the candidates for the row, which stand in the user message: the schema and all before it are equal for every row. */
export class Shortlist<State> {
  readonly #options: ShortlistOptions<State>;
  #index: Promise<CandidateIndex> | undefined;

  constructor(options: ShortlistOptions<State>) {
    this.#options = options;
  }

  readonly ask = async (state: State, context: StepContext): Promise<CodedAnswer> => {
    const { inputs, question, none, leaves } = this.#options;
    const text = inputs.plain(state);
    this.#index ??= CandidateIndex.of(leaves, this.#options);
    const candidates = (await this.#index).find(text);
    const codes = [...candidates.map(({ code }) => code), ...(none === undefined ? [] : [none])];
    const shown = block(candidatesInput, candidates.map(({ lines }) => lines).join("\n"));
    const answer = await question.ask(state, context, {
      block: shown,
      issuesOf: (given) => issuesOf(given, codes),
    });
    const { code, labels } = answer;
    return {
      ...answer,
      ...(code !== undefined && { code: meantBy(code, codes) ?? code }),
      ...(labels !== undefined && {
        labels: labels.map(({ code: given, confidence }) => ({ code: meantBy(given, codes) ?? given, confidence })),
      }),
    };
  };
}

/** The code that was meant: also where a model copied `<` as it was shown it, or quotes and blanks around. */
function meantBy(given: string, codes: readonly string[]): string | undefined {
  const spelled = [given, given.trim(), given.trim().replace(/^"(.*)"$/, "$1")];
  const all = spelled.flatMap((one) => [one, one.replaceAll("&lt;", "<")]);
  return all.find((one) => codes.includes(one));
}

function issuesOf({ code, labels = [] }: CodedAnswer, codes: readonly string[]): readonly Issue[] {
  const given = [
    ...(code === undefined ? [] : [{ path: "code", value: code }]),
    ...labels.map((label, index) => ({ path: `labels.${index}.code`, value: label.code })),
  ];
  const meant = given.map(({ value }) => meantBy(value, codes));
  return given.flatMap(({ path, value }, index) => {
    const found = meant[index];
    if (found === undefined) return [notAmong(path, value, codes)];
    return meant.indexOf(found) < index ? [twice(path)] : [];
  });
}

function notAmong(path: string, value: string, codes: readonly string[]): Issue {
  const nearest = closest(value, codes, 3).map((code) => JSON.stringify(code));
  const hint = nearest.length === 0 ? "" : `; closest: ${nearest.join(", ")}`;
  const detail = `${quote(value)} is not the code of a candidate${hint}`;
  return { code: "choice", path, message: "must be the code of a candidate, got another text", detail };
}

function twice(path: string): Issue {
  const message = "must be another code than the labels before it";
  return { path, message, detail: message };
}
