import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { test } from "node:test";
import { text } from "node:stream/consumers";
import { pathToFileURL } from "node:url";
import { chatRequest, startChatServer } from "../../support/chat-server.ts";

const request = chatRequest;
const server = await startChatServer();
const endpoint = server.origin;

test("a provider keeps no process alive, neither unused nor after a call", async () => {
  const module = pathToFileURL(join(import.meta.dirname, "../../../src/llm/providers/azure-openai.ts")).href;
  const script = `
    const { AzureOpenAIProvider } = await import(${JSON.stringify(module)});
    new AzureOpenAIProvider();
    const used = new AzureOpenAIProvider({ endpoint: ${JSON.stringify(endpoint)}, apiKey: "k", deployment: "d" });
    await used.complete(${JSON.stringify(request)}, new AbortController().signal);
    process.stdout.write("done");`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", script], { timeout: 30_000 });
  const [output, [code]] = await Promise.all([text(child.stdout), once(child, "exit")]);
  assert.deepEqual([output, code], ["done", 0]);
});
