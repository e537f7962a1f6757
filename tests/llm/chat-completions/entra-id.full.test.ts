import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";
import { text } from "node:stream/consumers";
import { pathToFileURL } from "node:url";

test("without @azure/identity, the error says what to install", async () => {
  const module = pathToFileURL(join(import.meta.dirname, "../../../src/llm/chat-completions/entra-id.ts")).href;
  const script = `
    const { registerHooks } = await import("node:module");
    registerHooks({
      resolve(name, context, next) {
        if (name !== "@azure/identity") return next(name, context);
        throw Object.assign(new Error("Cannot find package"), { code: "ERR_MODULE_NOT_FOUND" });
      },
    });
    const { entraTokenProvider } = await import(${JSON.stringify(module)});
    await entraTokenProvider()({ forceRefresh: false }).catch((error) => process.stdout.write(JSON.stringify(error)));`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", script], { timeout: 30_000 });
  const { code, facts } = JSON.parse(await text(child.stdout));
  assert.deepEqual([code, facts.where], ["SETTING_MISSING", "@azure/identity"]);
  assert.ok(facts.hint.startsWith("npm install @azure/identity"), facts.hint);
});
