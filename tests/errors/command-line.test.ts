import { realpathSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { moduleOr } from "../../src/cli/command.ts";
import { importPipeline, importProvider } from "../../src/cli/import-module.ts";
import { assertSentences } from "../support/error-sentences.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

test("sentences of a module that a command imports", async (t) => {
  const folder = realpathSync(temporaryFolder());
  const home = process.cwd();
  t.after(() => process.chdir(home));
  process.chdir(folder);
  const module = (name: string, text: string): string => {
    const path = join(folder, name);
    writeFileSync(path, text);
    return path;
  };
  const empty = module("empty.mjs", "");
  const sinkless = module("sinkless.mjs", "export default { to: () => {} };");
  const number = module("number.mjs", "export default 1;");
  const throws = module("throws.mjs", 'throw new Error("what the module says");');
  await assertSentences(
    t,
    [
      () => moduleOr(undefined),
      async () => await importPipeline(join(folder, "not-there.ts")),
      async () => await importPipeline(empty),
      async () => await importPipeline(sinkless),
      async () => await importPipeline(number),
      async () => await importPipeline(throws),
      async () => await importProvider(empty),
      async () => await importProvider(number),
    ],
    folder,
  );
});
