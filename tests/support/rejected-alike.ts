import assert from "node:assert/strict";
import type { ErrorFacts } from "../../src/errors/facts.ts";
import type { ErrorCode } from "../../src/errors/llm-etl-error.ts";
import type { RunnablePipeline } from "../../src/index.ts";
import { failsWith } from "./error-facts.ts";

/** Makes sure that `check` has a problem with this code, and that a run ends with it, thrown or in its report. */
export async function rejectedAlike(pipeline: RunnablePipeline, code: ErrorCode, facts: ErrorFacts): Promise<void> {
  const { findings } = await pipeline.check();
  const codes = findings.filter(({ status }) => status === "problem").map((finding) => finding.code);
  assert.ok(codes.includes(code), `check finds ${code}`);
  const ended = pipeline.run().then(({ error }) => {
    if (error !== null) throw error;
  });
  await assert.rejects(ended, failsWith(code, facts));
}
