import { hash } from "node:crypto";
import type { z } from "zod";
import type { FieldLimit, OutputWhen, Step } from "../contracts/step.ts";
import { checkOptions, isName, optional } from "../errors/options.ts";
import type { Prompt } from "../contracts/conversation.ts";
import { AnswerSampler } from "../llm/mock/sample-answer.ts";
import type { JSONSchema } from "../json/json-schema.ts";
import { cutAnswerFlaw, schemaEcho } from "../validation/answer-flaws.ts";
import { soleField } from "../validation/kept-fields.ts";
import { describeIssues, type Issue, unspoken } from "../validation/issues.ts";
import { examplesText } from "../model-step/examples.ts";
import { type ModelStepOptions, modelStepChecks, requireChoice } from "../model-step/options.ts";
import { RowInputs } from "../model-step/row-inputs.ts";
import { systemMessage } from "../model-step/system-message.ts";
import { rowFields } from "../table/row-fields.ts";
import { LimitedSchemas, violationsOf } from "../validation/limited-schema.ts";
import { withNulls, withNullsAt } from "../validation/null-fields.ts";
import { hasPassages, type Placed, placePassages } from "../validation/verbatim.ts";
import { parseAnswer } from "../validation/parse-answer.ts";
import { askUntilValid, type Reading } from "../validation/retry.ts";
import { parseNow, rejectAsynchronous } from "../validation/synchronous-schema.ts";
import { isObjectSchema, type StrictSchema, toStrictSchema } from "../validation/strict-schema.ts";

export type { StepExample } from "../model-step/examples.ts";
export { type ModelStepOptions, modelStepChecks } from "../model-step/options.ts";
export type { InputMap, InputValue, InputValues } from "../model-step/row-inputs.ts";

export interface LLMStepOptions<
  State,
  Key extends string,
  Schema extends z.ZodObject,
  Input extends string = string,
  Applies extends boolean = never,
> extends ModelStepOptions<State, Key, Input, Applies, z.input<Schema>> {
  /** The task: what to do with the inputs. It is equal for every row. */
  readonly prompt: string;
  /** The schema of an answer; extend `LLMOutputBase`. A refinement that fails is sent back to the model like any rule. */
  readonly schema: Schema;
  /**
   * The schema that the model is asked for, where it is narrower than `schema`. An answer that breaks it, and fits `schema` with null in the
   * fields at fault, is kept so, without a re-ask; the report counts these fields. @default `schema`
   */
  readonly askedSchema?: z.ZodObject | undefined;
}

/**
 * Asks a model about each row, until the answer fits the schema. Use it as it is, or extend it for a step of your own:
 * `render` and `read` are pure, `run` asks the model between them.
 */
export class LLMStep<
  State,
  const Key extends string,
  Schema extends z.ZodObject,
  Applies extends boolean = never,
> implements Step<State, Key, OutputWhen<z.output<Schema>, Applies>> {
  readonly name: string;
  readonly outputKey: Key;
  readonly llmProvider: Step<State, Key, unknown>["llmProvider"];
  readonly llmProviders: Step<State, Key, unknown>["llmProviders"];
  readonly outputSchema: JSONSchema;
  readonly outputFields: JSONSchema | undefined;
  readonly inputMap: Step<State, Key, unknown>["inputMap"];
  readonly when: Step<State, Key, unknown>["when"];
  readonly settings: object;
  readonly #options: LLMStepOptions<State, Key, Schema, string, Applies>;
  readonly #strict: StrictSchema;
  readonly #system: string;
  readonly #schema: Prompt["schema"];
  readonly #promptHash: string;
  readonly #limited: LimitedSchemas;
  readonly #inputs: RowInputs<State>;
  /** True if a field is a passage of the row's text. */
  readonly #hasPassages: boolean;
  readonly #soleFieldOf: ((issues: readonly Issue[]) => string | undefined) | undefined;
  readonly #flawOf = (cutAnswer: string): Issue | undefined => cutAnswerFlaw(cutAnswer, this.#strict.json);
  readonly #isHopeless = (cutAnswer: string): boolean => this.#flawOf(cutAnswer) !== undefined;

  /**
   * @throws {OptionError} for an option that is unknown or has a wrong value
   * @throws {SchemaError} for a schema that no model can be asked for, or that is asynchronous
   */
  constructor(options: LLMStepOptions<State, Key, Schema, string, Applies>) {
    const checks = {
      ...modelStepChecks,
      prompt: isName,
      schema: isObjectSchema,
      askedSchema: optional(isObjectSchema),
    };
    checkOptions("LLMStep", options, checks);
    const { name: step, inputMap, maxInputCharacters, onTooLong } = options;
    this.#inputs = new RowInputs({ step, inputMap, maxInputCharacters, onTooLong });
    this.name = options.name;
    this.outputKey = options.outputKey;
    requireChoice(options);
    this.llmProvider = options.llmProvider;
    this.llmProviders = options.llmProviders;
    this.when = options.when;
    this.settings = this.#options = options;
    const { schema, askedSchema } = options;
    const asked = askedSchema ?? schema;
    this.#strict = toStrictSchema(asked);
    this.outputSchema = askedSchema === undefined ? this.#strict.full : toStrictSchema(schema).full;
    this.outputFields = rowFields(schema);
    this.inputMap = this.#inputs.functions;
    const madeUp = this.#strict.undoNulls(new AnswerSampler(0).answer([], this.#strict.json));
    for (const each of new Set([asked, schema])) rejectAsynchronous(each, madeUp);
    const { prompt, instructions, examples = [] } = options;
    const shown = { step, inputs: this.#inputs, schema: asked, strict: this.#strict };
    const exampleTexts = examples.length === 0 ? undefined : examplesText(examples, shown);
    this.#system = systemMessage({ prompt, instructions, examples: exampleTexts });
    this.#hasPassages = hasPassages(this.#strict.full);
    this.#limited = new LimitedSchemas(this.#strict.json);
    const { json } = this.#strict;
    this.#schema = { name: this.name.replaceAll(/[^A-Za-z0-9_-]/g, "_").slice(0, 64), json };
    const hasRuleOverFields = (asked._zod.def.checks ?? []).length > 0;
    this.#soleFieldOf = hasRuleOverFields ? undefined : (issues) => soleField(issues, json);
    this.#promptHash = hash("sha256", JSON.stringify([this.#system, json]), "hex").slice(0, 16);
  }

  readonly run: Step<State, Key, OutputWhen<z.output<Schema>, Applies>>["run"] = (state, context) => {
    const { llm, limits = [], onInvalidValue } = context;
    const { maxRetries = 3 } = this.#options;
    try {
      return askUntilValid({
        step: this.name,
        prompt: { ...this.render(state), limitedSchema: this.#limited.get(limits), isHopeless: this.#isHopeless },
        read: this.#hasPassages
          ? (answer) => this.read(answer, limits, this.#inputs.textOf(state))
          : (answer) => this.read(answer, limits),
        soleFieldOf: this.#soleFieldOf,
        flawOf: this.#flawOf,
        conversation: llm,
        maxRetries,
        onInvalidValue,
      });
    } catch (error) {
      return Promise.reject(error);
    }
  };

  /**
   * Makes the request for a row: everything static first, the row last.
   *
   * @throws {RowError} if an input function throws, or `text` is empty or too long
   */
  readonly render = (state: State): Prompt => {
    const { temperature = 0, maxOutputTokens = 512 } = this.#options;
    return {
      messages: [
        { role: "system", content: this.#system },
        { role: "user", content: this.#inputs.render(state) },
      ],
      schema: this.#schema,
      temperature,
      maxOutputTokens,
      promptHash: this.#promptHash,
    };
  };

  /**
   * Reads an answer: the output, or its issues. `limits` are those of the target's columns, `text` is the row's, in which passages must stand.
   *
   * @throws {SchemaError} if a check of the schema turns out to be asynchronous
   */
  readonly read = (answer: string, limits: readonly FieldLimit[] = [], text = ""): Reading<z.output<Schema>> => {
    const parsed = parseAnswer(answer);
    if (!parsed.valid) return parsed;
    const value = this.#strict.undoNulls(parsed.output);
    const { schema, askedSchema } = this.#options;
    const asked = askedSchema && parseNow(askedSchema, value);
    const result = asked?.success === false ? asked : parseNow(schema, value);
    if (result.success) {
      const { output, issues: misquoted } = this.#placed(result.data, text);
      const issues = [...misquoted, ...violationsOf(output, limits)];
      return issues.length === 0 ? { valid: true, output } : { valid: false, issues };
    }
    const issues = describeIssues(result.error.issues, value, this.#strict.full);
    const echo = schemaEcho(answer, this.#strict.json);
    if (echo !== undefined) return { valid: false, issues: [echo, ...issues.map(unspoken)] };
    return this.#withNulls(value, issues, { limits, text }) ?? { valid: false, issues };
  };

  #placed<Output>(output: Output, text: string): Placed<Output> {
    return this.#hasPassages ? placePassages(output, text) : { output, issues: [] };
  }

  /** The output with null in the fields at fault, where the model was asked for more than the schema needs. */
  #withNulls(
    value: unknown,
    issues: readonly Issue[],
    { limits, text }: { readonly limits: readonly FieldLimit[]; readonly text: string },
  ): Reading<z.output<Schema>> | undefined {
    const { schema, askedSchema } = this.#options;
    if (askedSchema === undefined) return undefined;
    for (const left of [withNulls(value, issues), withNullsAt(value, issues)]) {
      const result = left && parseNow(schema, left.value);
      if (!result?.success) continue;
      const { output, issues: misquoted } = this.#placed(result.data, text);
      if (misquoted.length > 0 || violationsOf(output, limits).length > 0) continue;
      return { valid: true, output, nullFields: left?.fields };
    }
    return undefined;
  }
}
