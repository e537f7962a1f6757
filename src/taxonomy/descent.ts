import type { Asking, StepContext } from "../contracts/step.ts";
import type { CodedQuestion, CodedQuestions } from "./coded-questions.ts";
import type { CodedAnswer } from "./coded-schema.ts";
import { beam, callsIn, hasFurther, questionedIn, throughOnly } from "./levels.ts";
import type { Branch } from "./taxonomy.ts";

/** Below this the second best is followed, too. */
const lowConfidence = 0.6;

/** A way from the top, as far as it has come. */
interface Way {
  readonly at: Branch;
  /** The product of the confidences; one that is null counts as 1. */
  readonly product: number;
  readonly hasNull: boolean;
  /** The last answer; undefined before the first. */
  readonly answer: CodedAnswer | undefined;
}

/**
 * Asks level by level: one question for each node that has several below it. Where the model is unsure the two best ways are followed, and the
 * leaf with the highest product of confidences counts.
 */
export class Descent<State> {
  readonly #questions: CodedQuestions<State>;
  readonly #made = new Map<Branch, CodedQuestion<State>>();
  readonly #top: Branch;
  readonly #start: Branch;
  readonly #none: string | undefined;

  /** `top` has several leaves below it. */
  constructor(top: Branch, questions: CodedQuestions<State>, none: string | undefined) {
    this.#questions = questions;
    this.#top = top;
    this.#start = throughOnly(top);
    this.#none = none;
  }

  get first(): CodedQuestion<State> {
    return this.#questionAt(this.#start);
  }

  /** The answer about the leaf that is chosen, or that none fits where no way leads to one. */
  readonly ask = async (state: State, context: StepContext): Promise<CodedAnswer> => {
    let ways: readonly Way[] = [{ at: this.#start, product: 1, hasNull: false, answer: undefined }];
    let ended: CodedAnswer | undefined;
    while (ways.some(isOpen)) {
      const next: Way[] = [];
      for (const way of ways) {
        if (!isOpen(way)) next.push(way);
        else {
          const answer = await this.#questionAt(way.at).ask(state, context);
          if (answer.code === this.#none) ended ??= answered(stepped(way, way.at, answer), answer.code);
          else next.push(...this.#onwards(way, answer));
        }
      }
      ways = next.toSorted((one, other) => other.product - one.product).slice(0, beam);
    }
    const [best] = ways;
    const answer = best === undefined ? ended : answered(best, best.at.code);
    if (answer === undefined) throw new TypeError("no question was asked");
    return answer;
  };

  /** The ways that an answer leads to, the best first. */
  #onwards(way: Way, answer: CodedAnswer): readonly Way[] {
    const { code, confidence = null, alternative } = answer;
    const byCode = (wanted: unknown): Branch | undefined => way.at.children.find((child) => child.code === wanted);
    const chosen = byCode(code);
    if (chosen === undefined) throw new TypeError("an answer was accepted whose code is no choice");
    const first = stepped(way, throughOnly(chosen), answer);
    const second = alternative === code ? undefined : byCode(alternative);
    const isSure = confidence === null || confidence >= lowConfidence;
    if (isSure || second === undefined || !isOpen(first)) return [first]; // a second can't get before a leaf
    return [first, stepped(way, throughOnly(second), { ...answer, confidence: Math.min(confidence, 1 - confidence) })];
  }

  #questionAt(at: Branch): CodedQuestion<State> {
    const known = this.#made.get(at);
    if (known !== undefined) return known;
    const depth = at.path.length;
    const within = at === this.#start ? [] : at.path;
    const question = this.#questions.ofList({ choices: at.children, within, depth }, hasFurther(at));
    this.#made.set(at, question);
    return question;
  }

  asking(): Omit<Asking, "fields"> {
    const lengths = questionedIn(this.#top).map((at) => this.#questionAt(at).system.length);
    const prompts = { count: lengths.length, shortest: lengths.reduce(smaller), longest: lengths.reduce(larger) };
    return { calls: callsIn(this.#top, this.#none !== undefined), prompts };
  }
}

function isOpen({ at }: Way): boolean {
  return at.children.length > 0;
}

function stepped({ product, hasNull }: Way, at: Branch, answer: CodedAnswer): Way {
  const { confidence = null } = answer;
  return { at, product: product * (confidence ?? 1), hasNull: hasNull || confidence === null, answer };
}

/** The last answer of a way, with the confidence of all of it, without the last digits that multiplying makes. */
function answered({ answer, product, hasNull }: Way, code: string | undefined): CodedAnswer {
  return { ...answer, code, confidence: hasNull ? null : Number(product.toFixed(6)) };
}

const smaller = (one: number, other: number): number => Math.min(one, other);
const larger = (one: number, other: number): number => Math.max(one, other);
