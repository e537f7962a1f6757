import type { z } from "zod";
import type { Prompt } from "../contracts/conversation.ts";
import type { Asking, FieldLimit, StepContext } from "../contracts/step.ts";
import type { JSONSchema } from "../json/json-schema.ts";
import type { Reading } from "../validation/retry.ts";

/** The way of a step whose output is more than the answer to its one question: it asks several, or adds what code knows. */
export interface OwnWay<State, Schema extends z.ZodObject, Out> {
  /** The first question. */
  readonly question: {
    readonly render: (state: State) => Prompt;
    readonly read: (
      answer: string,
      options: { readonly limits: readonly FieldLimit[]; readonly text: string },
    ) => Reading<z.output<Schema>>;
  };
  readonly run: (state: State, context: StepContext) => Promise<Out>;
  /** Describes the output. */
  readonly outputSchema: JSONSchema;
  readonly asking: () => Asking;
  /** All that can change its output, beside the row and its inputs. */
  readonly settings: object;
}
