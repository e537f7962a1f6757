import { z } from "zod";
import type { BatchResult } from "../../contracts/provider.ts";
import type { LLMResponse } from "../../contracts/provider.ts";
import { ProviderError } from "../provider-error.ts";

const Line = z.object({
  custom_id: z.string(),
  response: z.object({ status_code: z.number(), body: z.unknown() }).nullish(),
  error: z.object({ code: z.string().nullish() }).nullish(),
});

/** Reads the reply that a line holds, as one that had come over HTTP; it throws as that would. */
export type ReadReply = (status: number, body: string) => LLMResponse;

/** Reads a line of an output or an error file; undefined where it is none. */
export function resultOfLine(line: string, readReply: ReadReply): BatchResult | undefined {
  const parsed = Line.safeParse(parse(line));
  if (!parsed.success) return undefined;
  const { custom_id: id, response, error } = parsed.data;
  if (response === undefined || response === null) return { id, missed: error?.code ?? "no answer" };
  try {
    const { status_code: status, body } = response;
    const answer = readReply(status, typeof body === "string" ? body : JSON.stringify(body ?? ""));
    return { id, answer: { ...answer, usage: { ...answer.usage, tier: "batch" } } };
  } catch (failure) {
    if (!(failure instanceof ProviderError)) throw failure;
    return failure.class === "row" ? { id, error: failure } : { id, missed: failure.code };
  }
}

function parse(line: string): unknown {
  try {
    return JSON.parse(line.replace(/^\uFEFF/, ""));
  } catch {
    return undefined;
  }
}
