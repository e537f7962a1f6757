import { checkOptions, isFunction, isName, optional } from "../errors/options.ts";
import type { OutputWhen, Step } from "../contracts/step.ts";

export interface TransformStepOptions<State, Key extends string, Out, Applies extends boolean = never> {
  readonly name: string;
  /** The key of the output in `state.processed`. */
  readonly outputKey: Key;
  /**
   * The rows that the step applies to: those for which it gives true. For other rows the output is null, which its type says. If it throws, or
   * gives no boolean, the row fails. @default each row
   */
  readonly when?: ((state: State) => Applies) | undefined;
  /** Computes the output from the state. If it throws, the row fails. */
  readonly transform: (state: State, context: { readonly signal: AbortSignal }) => Out | Promise<Out>;
}

/** Adds the result of a plain function; no model is asked. */
export class TransformStep<State, const Key extends string, Out, Applies extends boolean = never> implements Step<
  State,
  Key,
  OutputWhen<Out, Applies>
> {
  readonly name: string;
  readonly outputKey: Key;
  readonly when: Step<State, Key, unknown>["when"];
  readonly settings: object;
  readonly run: Step<State, Key, OutputWhen<Out, Applies>>["run"];

  /** @throws {OptionError} for an option that is unknown or has a wrong value */
  constructor(options: TransformStepOptions<State, Key, Out, Applies>) {
    const checks = { name: isName, outputKey: isName, when: optional(isFunction), transform: isFunction };
    checkOptions("TransformStep", options, checks);
    const { name, outputKey, when, transform } = options;
    this.name = name;
    this.outputKey = outputKey;
    this.when = when;
    this.settings = { transform };
    this.run = async (state, { signal }) => await transform(state, { signal });
  }
}
