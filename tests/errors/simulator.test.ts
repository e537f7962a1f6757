import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { MemorySource } from "../../src/testing/memory-source.ts";
import { readLabels } from "../../src/testing/simulator/labelled-csv.ts";
import { checkSimulatorChanges, checkSimulatorOptions } from "../../src/testing/simulator/options.ts";
import { assertSentences } from "../support/error-sentences.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

test("sentences of the simulator and of the sources for tests", async (t) => {
  const path = join(temporaryFolder(), "labels.csv");
  const labels =
    (text: string, labelColumn = "category") =>
    async () => {
      await writeFile(path, text);
      return await readLabels({ path, textColumn: "text", labelColumn });
    };
  const parameters = { since: "2024" };
  const memory = new MemorySource<{ id: string }>({ rows: [], primaryKeyColumn: "id" });
  const changes: object = { seed: 2 };
  await assertSentences(t, [
    () => checkSimulatorOptions({ port: 70_000 }),
    () => checkSimulatorOptions({ faults: { serverError: 0.5, html: 0.75 } }),
    () => checkSimulatorChanges(changes),
    labels("text,category\n"),
    labels("text,categories\na,b\n"),
    labels("text,categories\na,b\n", "x".repeat(20)),
    async () => await Array.fromAsync(memory.read({ signal: new AbortController().signal, parameters })),
  ]);
});
