import type { z } from "zod";
import type { FieldLimit, OutputWhen, Step } from "../contracts/step.ts";
import { checkOptions, isName, optional } from "../errors/options.ts";
import type { Prompt } from "../contracts/conversation.ts";
import { AnswerSampler } from "../llm/mock/sample-answer.ts";
import type { JSONSchema } from "../json/json-schema.ts";
import { type ModelStepOptions, modelStepChecks, requireChoice } from "../model-step/options.ts";
import type { OwnWay } from "../model-step/own-way.ts";
import { Question } from "../model-step/question.ts";
import { RowInputs } from "../model-step/row-inputs.ts";
import { rowFields } from "../table/row-fields.ts";
import type { Reading } from "../validation/retry.ts";
import { rejectAsynchronous } from "../validation/synchronous-schema.ts";
import { isObjectSchema, toStrictSchema } from "../validation/strict-schema.ts";

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
  Out = z.output<Schema>,
> implements Step<State, Key, OutputWhen<Out, Applies>> {
  readonly name: string;
  readonly outputKey: Key;
  readonly llmProvider: Step<State, Key, unknown>["llmProvider"];
  readonly llmProviders: Step<State, Key, unknown>["llmProviders"];
  readonly outputSchema: JSONSchema;
  readonly outputFields: JSONSchema | undefined;
  readonly inputMap: Step<State, Key, unknown>["inputMap"];
  readonly when: Step<State, Key, unknown>["when"];
  readonly asking: Step<State, Key, unknown>["asking"];
  readonly settings: object;
  readonly run: Step<State, Key, OutputWhen<Out, Applies>>["run"];
  readonly #question: OwnWay<State, Schema, Out>["question"];

  /**
   * @param way of a step whose output is more than the answer to its one question
   * @throws {OptionError} for an option that is unknown or has a wrong value
   * @throws {SchemaError} for a schema that no model can be asked for, or that is asynchronous
   */
  constructor(options: LLMStepOptions<State, Key, Schema, string, Applies>, way?: OwnWay<State, Schema, Out>) {
    const checks = {
      ...modelStepChecks,
      prompt: isName,
      schema: isObjectSchema,
      askedSchema: optional(isObjectSchema),
    };
    checkOptions("LLMStep", options, checks);
    const { name: step, inputMap, maxInputCharacters, onTooLong } = options;
    const inputs = new RowInputs({ step, inputMap, maxInputCharacters, onTooLong });
    this.name = options.name;
    this.outputKey = options.outputKey;
    requireChoice(options);
    this.llmProvider = options.llmProvider;
    this.llmProviders = options.llmProviders;
    this.when = options.when;
    this.settings = way?.settings ?? options;
    this.inputMap = inputs.functions;
    this.asking = way?.asking;
    if (way !== undefined) {
      this.#question = way.question;
      this.outputSchema = way.outputSchema;
      this.run = way.run;
      return;
    }
    const { schema, askedSchema } = options;
    const question = new Question({ ...options, inputs });
    const { strict } = question;
    this.#question = question;
    this.outputSchema = askedSchema === undefined ? strict.full : toStrictSchema(schema).full;
    this.outputFields = rowFields(schema);
    const madeUp = strict.undoNulls(new AnswerSampler(0).answer([], strict.json));
    for (const each of new Set([askedSchema ?? schema, schema])) rejectAsynchronous(each, madeUp);
    const ask: Step<State, Key, z.output<Schema>>["run"] = (state, context) => question.ask(state, context);
    this.run = ask as Step<State, Key, Out>["run"]; // without a way of its own, Out is the schema's output
  }

  /**
   * Makes the request for a row: everything static first, the row last.
   *
   * @throws {RowError} if an input function throws, or `text` is empty or too long
   */
  readonly render = (state: State): Prompt => this.#question.render(state);

  /**
   * Reads an answer: the output, or its issues. `limits` are those of the target's columns, `text` is the row's, in which passages must stand.
   *
   * @throws {SchemaError} if a check of the schema turns out to be asynchronous
   */
  readonly read = (answer: string, limits: readonly FieldLimit[] = [], text = ""): Reading<z.output<Schema>> =>
    this.#question.read(answer, { limits, text });
}
