import { mkdirSync, realpathSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { moduleOr } from "../../src/cli/command.ts";
import { importPipeline, importProvider } from "../../src/cli/import-module.ts";
import { showCommand } from "../../src/cli/commands/show.ts";
import { sqlCommand } from "../../src/cli/commands/sql.ts";
import { makeProject } from "../../src/cli/init/project.ts";
import { findTemplates } from "../../src/cli/init/templates.ts";
import { assertSentences } from "../support/error-sentences.ts";
import { runRecord, writeJournal } from "../support/journal-file.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { runCommand } from "../support/terminal.ts";

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

test("sentences of the commands show and sql", async (t) => {
  const folder = temporaryFolder();
  const journal = join(folder, "runs.db");
  await writeJournal(
    journal,
    ["abcd1111", "abcd2222"].map((runId) => runRecord({ runId })),
  );
  const enriched = fileURLToPath(new URL("../fixtures/pipelines/enriched.ts", import.meta.url));
  const show = (id: string) => () => runCommand(showCommand, [id, "--journal", journal]);
  const create = (dialect: string) => () => runCommand(sqlCommand, ["create-table", enriched, "--dialect", dialect]);
  await assertSentences(t, [show("abc"), show("9999"), show("abcd"), create("sqlite"), create("oracle")]);
});

test("sentences of the command init", async (t) => {
  const parent = temporaryFolder();
  const { sources, providers } = findTemplates();
  let count = 0;
  const making = (prepare: (folder: string) => void, name?: string) => () => {
    const folder = join(parent, `project ${(count += 1)}`);
    mkdirSync(folder);
    prepare(folder);
    return makeProject({ folder, source: sources[0], provider: providers[0], name });
  };
  const manifest = (text: string) => (folder: string) => writeFileSync(join(folder, "package.json"), text);
  await assertSentences(
    t,
    [
      making(() => {}, " "),
      making((folder) => writeFileSync(join(folder, "tsconfig.json"), "mine")),
      making((folder) => writeFileSync(join(folder, "index.js"), "module.exports = 1")),
      making(manifest("5")),
      making(manifest('{ "scripts": 5 }')),
      making((folder) => mkdirSync(join(folder, ".gitignore"))),
      making((folder) => symlinkSync(join(folder, "nowhere", "at all"), join(folder, "data"), "junction")),
    ],
    parent,
  );
});
