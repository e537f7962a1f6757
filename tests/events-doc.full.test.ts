import assert from "node:assert/strict";
import { mkdtempSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { journaledFolder, startCommand } from "./support/command.ts";
import { temporaryFolder } from "./support/temporary-folder.ts";

const folder = temporaryFolder();
const read = (path: string): string => readFileSync(new URL(`../${path}`, import.meta.url), "utf8");

/** By event, the fields that docs/events.md tells of. */
const documented = new Map(
  read("docs/events.md")
    .split(/^### /m)
    .slice(1)
    .map((section): [string, readonly string[]] => {
      const cells = [...section.matchAll(/^\| (`[^|]*) \|/gm)].map(([, cell = ""]) => cell);
      return [
        section.split("\n")[0] ?? "",
        cells.flatMap((cell) => [...cell.matchAll(/`(\w+)`/g)].map(([, name = ""]) => name)),
      ];
    }),
);

test("docs/events.md has each event, and none that is not there", () => {
  const inCode = ["src/contracts/events.ts", "src/cli/progress/events.ts"].flatMap((path) =>
    [...read(path).matchAll(/readonly type: "([\w-]+)"/g)].map(([, type = ""]) => type),
  );
  assert.deepEqual([...documented.keys()].toSorted(), inCode.toSorted());
});

test("each event of a run and a replay has the fields that docs/events.md says, no more and no fewer", async () => {
  const FOLDER = journaledFolder(folder);
  const pipeline = fileURLToPath(new URL("fixtures/pipelines/audited.ts", import.meta.url));
  const withoutTarget = mkdtempSync(join(folder, "run "));
  const outputs = [
    (await startCommand(["run", pipeline, "--json"], { FOLDER }).ended).stdout,
    (await startCommand(["run", pipeline, "--json"], { FOLDER }).ended).stdout,
    (await startCommand(["replay", join(FOLDER, "failed.jsonl"), "--pipeline", pipeline, "--json"], { FOLDER }).ended)
      .stdout,
    (await startCommand(["run", pipeline, "--json"], { FOLDER: withoutTarget }).ended).stdout,
  ];
  const seen = new Map<string, string>();
  for (const line of outputs.join("").trimEnd().split("\n")) {
    const { time, type, ...fields } = JSON.parse(line);
    assert.match(time, /^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
    seen.set(type, Object.keys(fields).toSorted().join(" "));
  }
  const unseen = new Set([
    "gate-close",
    "concurrency-change",
    "empty-rows",
    "changes",
    "not-applied",
    "invalid-value",
    "list-price",
  ]); // no fault of the run asks for these
  for (const [type, fields] of documented) {
    if (unseen.has(type)) continue;
    assert.equal(seen.get(type), fields.toSorted().join(" "), type);
  }
});
