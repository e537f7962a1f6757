import { hash } from "node:crypto";
import type { z } from "zod";
import type { Prompt } from "../contracts/conversation.ts";
import type { FieldLimit, StepContext } from "../contracts/step.ts";
import { cutAnswerFlaw, schemaEcho } from "../validation/answer-flaws.ts";
import { describeIssues, type Issue, unspoken } from "../validation/issues.ts";
import { soleField } from "../validation/kept-fields.ts";
import { LimitedSchemas, violationsOf } from "../validation/limited-schema.ts";
import { withNulls, withNullsAt } from "../validation/null-fields.ts";
import { parseAnswer } from "../validation/parse-answer.ts";
import { askUntilValid, type Reading } from "../validation/retry.ts";
import { type StrictSchema, toStrictSchema } from "../validation/strict-schema.ts";
import { parseNow } from "../validation/synchronous-schema.ts";
import { hasPassages, type Placed, placePassages } from "../validation/verbatim.ts";
import { examplesText, type StepExample } from "./examples.ts";
import type { ModelStepOptions } from "./options.ts";
import type { RowInputs } from "./row-inputs.ts";
import { systemMessage } from "./system-message.ts";

/** The options of a step that all its questions share. */
export interface QuestionSettings extends Pick<
  ModelStepOptions<never, string>,
  "name" | "instructions" | "maxRetries" | "temperature" | "maxOutputTokens"
> {
  readonly examples?: readonly StepExample[] | undefined;
}

export interface QuestionOptions<State, Schema extends z.ZodObject> extends QuestionSettings {
  /** The task. It is equal for every row. */
  readonly prompt: string;
  readonly schema: Schema;
  /** The schema that the model is asked for, where it is narrower. @default `schema` */
  readonly askedSchema?: z.ZodObject | undefined;
  readonly inputs: RowInputs<State>;
  /**
   * The field whose choices come from data: no message shows one, and no re-ask asks to change it alone.
   * @default choices are written in the module; "category" is never changed alone
   */
  readonly dataChoice?: string | undefined;
}

/** The part of a question that differs by the row, beside its inputs. */
export interface RowPart<Output> {
  /** Text of the user message before the inputs. @default nothing */
  readonly block?: string | undefined;
  /** The issues of a valid answer that only this row's data show. @default none */
  readonly issuesOf?: ((output: Output) => readonly Issue[]) | undefined;
}

interface ReadingOptions<Output> extends Pick<RowPart<Output>, "issuesOf"> {
  /** Those of the target's columns. */
  readonly limits: readonly FieldLimit[];
  /** The row's, in which passages must stand. */
  readonly text: string;
}

/** One prompt and one schema, asked about each row until the answer is valid. */
export class Question<State, Schema extends z.ZodObject> {
  readonly strict: StrictSchema;
  /** All that is equal for every row, the schema aside. */
  readonly system: string;
  readonly options: QuestionOptions<State, Schema>;
  readonly #schema: Prompt["schema"];
  readonly #promptHash: string;
  readonly #limited: LimitedSchemas;
  /** True if a field is a passage of the row's text. */
  readonly #hasPassages: boolean;
  readonly #soleFieldOf: ((issues: readonly Issue[]) => string | undefined) | undefined;
  readonly #flawOf = (cutAnswer: string): Issue | undefined => cutAnswerFlaw(cutAnswer, this.strict.json);
  readonly #isHopeless = (cutAnswer: string): boolean => this.#flawOf(cutAnswer) !== undefined;

  /**
   * @throws {SchemaError} for a schema that no model can be asked for
   * @throws {OptionError} for an example that does not fit
   */
  constructor(options: QuestionOptions<State, Schema>) {
    this.options = options;
    const { name: step, prompt, instructions, examples = [], inputs, schema, askedSchema = schema } = options;
    this.strict = toStrictSchema(askedSchema);
    const shown = { step, inputs, schema: askedSchema, strict: this.strict };
    const exampleTexts = examples.length === 0 ? undefined : examplesText(examples, shown);
    this.system = systemMessage({ prompt, instructions, examples: exampleTexts });
    this.#hasPassages = hasPassages(this.strict.full);
    const { json } = this.strict;
    this.#limited = new LimitedSchemas(json);
    this.#schema = { name: step.replaceAll(/[^A-Za-z0-9_-]/g, "_").slice(0, 64), json };
    const hasRuleOverFields = (askedSchema._zod.def.checks ?? []).length > 0;
    this.#soleFieldOf = hasRuleOverFields ? undefined : (issues) => soleField(issues, json, options.dataChoice);
    this.#promptHash = hash("sha256", JSON.stringify([this.system, json]), "hex").slice(0, 16);
  }

  /**
   * Makes the request for a row: everything static first, the row last.
   *
   * @throws {RowError} if an input function throws, or `text` is empty or too long
   */
  render(state: State, block?: string): Prompt {
    const { temperature = 0, maxOutputTokens = 512, inputs } = this.options;
    const shown = inputs.render(state);
    return {
      messages: [
        { role: "system", content: this.system },
        { role: "user", content: block === undefined ? shown : `${block}\n\n${shown}` },
      ],
      schema: this.#schema,
      temperature,
      maxOutputTokens,
      promptHash: this.#promptHash,
    };
  }

  /**
   * Asks about a row until the answer is valid; rejects with the errors of {@link askUntilValid}, and those of `render`.
   */
  ask(
    state: State,
    { llm, limits = [], onInvalidValue }: StepContext,
    { block, issuesOf }: RowPart<z.output<Schema>> = {},
  ): Promise<z.output<Schema>> {
    const { name: step, maxRetries = 3, inputs } = this.options;
    try {
      const textOf = this.#hasPassages ? (): string => inputs.textOf(state) : noText;
      return askUntilValid({
        step,
        prompt: {
          ...this.render(state, block),
          limitedSchema: this.#limited.get(limits),
          isHopeless: this.#isHopeless,
        },
        read: (answer) => this.read(answer, { limits, text: textOf(), issuesOf }),
        soleFieldOf: this.#soleFieldOf,
        flawOf: this.#flawOf,
        conversation: llm,
        maxRetries,
        onInvalidValue,
      });
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /**
   * Reads an answer: the output, or its issues.
   *
   * @throws {SchemaError} if a check of the schema turns out to be asynchronous
   */
  read(answer: string, options: ReadingOptions<z.output<Schema>>): Reading<z.output<Schema>> {
    const parsed = parseAnswer(answer);
    if (!parsed.valid) return parsed;
    const value = this.strict.undoNulls(parsed.output);
    const { schema, askedSchema } = this.options;
    const asked = askedSchema && parseNow(askedSchema, value);
    const result = asked?.success === false ? asked : parseNow(schema, value);
    if (result.success) {
      const { output, issues: misquoted } = this.#placed(result.data, options.text);
      const issues = [...misquoted, ...issuesOfValid(output, options)];
      return issues.length === 0 ? { valid: true, output } : { valid: false, issues };
    }
    const described = describeIssues(result.error.issues, value, this.strict.full);
    const issues = this.options.dataChoice === undefined ? described : described.map(withoutChoices);
    const echo = schemaEcho(answer, this.strict.json);
    if (echo !== undefined) return { valid: false, issues: [echo, ...issues.map(unspoken)] };
    return this.#withNulls(value, issues, options) ?? { valid: false, issues };
  }

  #placed<Output>(output: Output, text: string): Placed<Output> {
    return this.#hasPassages ? placePassages(output, text) : { output, issues: [] };
  }

  /** The output with null in the fields at fault, where the model was asked for more than the schema needs. */
  #withNulls(
    value: unknown,
    issues: readonly Issue[],
    options: ReadingOptions<z.output<Schema>>,
  ): Reading<z.output<Schema>> | undefined {
    const { schema, askedSchema } = this.options;
    if (askedSchema === undefined) return undefined;
    for (const left of [withNulls(value, issues), withNullsAt(value, issues)]) {
      const result = left && parseNow(schema, left.value);
      if (!result?.success) continue;
      const { output, issues: misquoted } = this.#placed(result.data, options.text);
      if (misquoted.length > 0 || issuesOfValid(output, options).length > 0) continue;
      return { valid: true, output, nullFields: left?.fields };
    }
    return undefined;
  }
}

function withoutChoices(issue: Issue): Issue {
  return issue.code === "choice" ? { ...issue, message: "must be one of the allowed values, got another" } : issue;
}

const noText = (): string => "";

function issuesOfValid<Output>(
  output: Output,
  { limits, issuesOf }: Omit<ReadingOptions<Output>, "text">,
): readonly Issue[] {
  const violations = violationsOf(output, limits);
  return issuesOf === undefined ? violations : [...violations, ...issuesOf(output)];
}
