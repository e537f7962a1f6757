import type { TestContext } from "node:test";
import { LLMEtlError } from "../../src/errors/llm-etl-error.ts";

/**
 * Compares the sentences of a family of errors with the snapshot of the test: `CODE message`, and the detail if it says more.
 * Each attempt throws its error or returns it. The path of `folder` becomes "FOLDER", a line of a test "LINE".
 */
export async function assertSentences(
  t: TestContext,
  attempts: readonly (() => unknown)[],
  folder?: string,
): Promise<void> {
  const sentences: string[] = [];
  for (const attempt of attempts) {
    const result: unknown = await (async () => await attempt())().catch((error: unknown) => error);
    if (!(result instanceof LLMEtlError)) throw new Error(`no llm-etl error: ${String(attempt)}`, { cause: result });
    const { code, message, detail } = result;
    sentences.push(`${code} ${message}`, ...(detail === message ? [] : [`  detail: ${detail}`]));
  }
  const text = sentences.join("\n").replaceAll(/[^\s"]+\.test\.ts:\d+/g, "LINE");
  t.assert.snapshot(folder === undefined ? text : text.replaceAll(folder, "FOLDER"), { serializers: [String] });
}
