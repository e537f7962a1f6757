import { checkOptions, isFunction, isName } from "../errors/options.ts";
import type { Step } from "../contracts/step.ts";

export interface TransformStepOptions<State, Key extends string, Out> {
  readonly name: string;
  /** The key of the output in `state.processed`. */
  readonly outputKey: Key;
  /** Computes the output from the state. If it throws, the row fails. */
  readonly transform: (state: State, context: { readonly signal: AbortSignal }) => Out | Promise<Out>;
}

/** Adds the result of a plain function; no model is asked. */
export class TransformStep<State, const Key extends string, Out> implements Step<State, Key, Out> {
  readonly name: string;
  readonly outputKey: Key;
  readonly settings: object;
  readonly run: Step<State, Key, Out>["run"];

  /** @throws {OptionError} for an option that is unknown or has a wrong value */
  constructor(options: TransformStepOptions<State, Key, Out>) {
    checkOptions("TransformStep", options, { name: isName, outputKey: isName, transform: isFunction });
    const { name, outputKey, transform } = options;
    this.name = name;
    this.outputKey = outputKey;
    this.settings = { transform };
    this.run = async (state, { signal }) => await transform(state, { signal });
  }
}
