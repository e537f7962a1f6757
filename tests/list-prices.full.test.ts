import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { join } from "node:path";

const source = (path: string): string => JSON.stringify(pathToFileURL(join(import.meta.dirname, "../src", path)).href);

test("without the package a run goes as before, check says that it has list prices, and maxCost is rejected", async () => {
  const script = `
    const { registerHooks } = await import("node:module");
    registerHooks({
      resolve(name, context, next) {
        if (name !== "@pydantic/genai-prices") return next(name, context);
        throw Object.assign(new Error("Cannot find package"), { code: "ERR_MODULE_NOT_FOUND" });
      },
    });
    const { Pipeline, SummarizerStep } = await import(${source("index.ts")});
    const { MockProvider } = await import(${source("llm/providers/mock.ts")});
    const { MemorySink } = await import(${source("testing/memory-sink.ts")});
    const { MemorySource } = await import(${source("testing/memory-source.ts")});
    const { name, fingerprint, complete } = new MockProvider({ model: "gpt-4o" });
    const llmProvider = { name, fingerprint, complete, listing: { seller: "openai", model: "gpt-4o" } };
    const pipeline = new Pipeline({
      name: "unlisted",
      source: new MemorySource({ rows: [{ id: "1", note: "A note." }], primaryKeyColumn: "id" }),
      llmProvider, journal: "off", payloadLog: "off",
    })
      .step(new SummarizerStep({ name: "short", inputMap: { text: (s) => s.raw.note }, outputKey: "short" }))
      .to(new MemorySink({ columnMap: { id: (s) => s.pk } }));
    const { status, cost, unlistedModels = null } = await pipeline.run();
    const { findings } = await pipeline.check();
    const found = findings.filter(({ subject }) => subject.startsWith("prices")).map(({ message }) => message);
    const rejected = await pipeline.run({ maxCost: 5 }).catch(({ code, message, facts }) => ({ code, message, facts }));
    process.stdout.write(JSON.stringify({ run: [status, cost, unlistedModels], found, rejected }));`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", script], { timeout: 30_000 });
  const [out, errors] = await Promise.all([text(child.stdout), text(child.stderr)]);
  const { run, found, rejected } = JSON.parse(out || JSON.stringify({ errors }));
  assert.deepEqual(run, ["completed", null, null], errors);
  assert.equal(found.length, 2);
  assert.match(found[1], /@pydantic\/genai-prices.*not installed/);
  assert.deepEqual([rejected.code, rejected.facts.where], ["INVALID_OPTION", "maxCost"]);
  assert.match(rejected.message, /not installed/);
});
