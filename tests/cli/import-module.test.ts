import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { importPipeline, importProvider } from "../../src/cli/import-module.ts";

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

test("a module that holds no pipeline is refused, and the error says what it holds and what was expected", async () => {
  const number = await moduleWith("number", "export default 1;");
  const cases: [string, RegExp][] = [
    [join(folder, "not-there.ts"), /^there is no file .*not-there\.ts$/],
    [fixture("no-default"), /: it has no default export; expected `export default new Pipeline/],
    [fixture("no-sink"), /: its pipeline has no sink: end it with \.to\(…\); expected/],
    [fixture("broken"), /can't be imported: .* \(.*broken\.ts:1\)$/],
    [fixture("throws"), /can't be imported: the settings have no table \(.*throws\.ts:4\)$/],
    [number, /: its default export is not a pipeline; expected/],
  ];
  for (const [path, message] of cases) {
    await assert.rejects(importPipeline(path), { code: "PIPELINE_MODULE_INVALID", message });
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

test("a module that holds no provider is refused", async () => {
  const cases: [string, RegExp][] = [
    [fixture("no-default"), /: it has no default export; expected `export default new AzureOpenAIProvider/],
    [fixture("good"), /: its default export is not a provider; expected/],
    [join(folder, "not-there.ts"), /^there is no file/],
  ];
  for (const [path, message] of cases) {
    await assert.rejects(importProvider(path), { code: "PIPELINE_MODULE_INVALID", message });
  }
});
