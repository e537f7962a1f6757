import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { importPipeline, importProvider } from "../../src/cli/import-module.ts";
import type { ErrorFacts } from "../../src/errors/facts.ts";
import { failsWith } from "../support/error-facts.ts";

const fixture = (name: string): string => fileURLToPath(new URL(`../fixtures/pipelines/${name}.ts`, import.meta.url));

let folder = "";
before(async () => {
  folder = await mkdtemp(join(tmpdir(), "llm-etl-"));
});
after(async () => await rm(folder, { recursive: true, force: true }));

async function moduleWith(name: string, text: string): Promise<string> {
  const path = join(folder, `${name}.mjs`);
  await writeFile(path, text);
  return path;
}

test("the default export of a module is its pipeline", async () => {
  const pipeline = await importPipeline(fixture("good"));
  assert.equal(pipeline.name, "fixture");
});

test("a module without a pipeline is rejected, and the error says what it has", async () => {
  const number = await moduleWith("number", "export default 1;");
  const cases: [where: string, facts: ErrorFacts][] = [
    [join(folder, "not-there.ts"), {}],
    [fixture("no-default"), { got: "no default export" }],
    [fixture("no-sink"), { got: "a pipeline without a sink", hint: "end it with .to(…)" }],
    [fixture("broken"), { place: `${fixture("broken")}:1` }],
    [fixture("throws"), { place: `${fixture("throws")}:4` }],
    [number, { got: "a default export that is not a pipeline" }],
  ];
  for (const [where, facts] of cases) {
    await assert.rejects(importPipeline(where), failsWith("PIPELINE_MODULE_INVALID", { where, ...facts }));
  }
});

test("a wrong option in the module is reported as what it is", async () => {
  await assert.rejects(importPipeline(fixture("wrong-option")), { code: "INVALID_OPTION" });
});

test("the default export of a module is its provider", async () => {
  const mock = new URL("../../src/llm/providers/mock.ts", import.meta.url).href;
  const path = await moduleWith(
    "provider",
    `import { MockProvider } from "${mock}"; export default new MockProvider();`,
  );
  const provider = await importProvider(path);
  assert.equal(provider.name, "mock");
});

test("a module without a provider is rejected", async () => {
  const cases: [where: string, facts: ErrorFacts][] = [
    [fixture("no-default"), { got: "no default export" }],
    [fixture("good"), { got: "a default export that is not a provider" }],
    [join(folder, "not-there.ts"), {}],
  ];
  for (const [where, facts] of cases) {
    await assert.rejects(importProvider(where), failsWith("PIPELINE_MODULE_INVALID", { where, ...facts }));
  }
});
