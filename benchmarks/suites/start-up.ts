/** What one waits for before the first row, and what `npm install llm-etl` brings. */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { installedSizes } from "../measure/installed-size.ts";
import { interleave } from "../measure/interleave.ts";
import { median } from "../measure/statistics.ts";
import { atMost, type Suite } from "./suite.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const main = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));

/** Node's own start is part of every one of them. */
const commands = [
  { name: "node, nothing else", words: ["--eval", "0"] },
  { name: "llm-etl --version", words: [main, "--version"] },
  { name: "llm-etl --help", words: [main, "--help"] },
  { name: "llm-etl run --help", words: [main, "run", "--help"] },
] as const;

/** CPU of the import alone, in milliseconds: user and system. */
const importing =
  'const before = process.cpuUsage(); await import("llm-etl"); const { user, system } = process.cpuUsage(before);' +
  "console.log((user + system) / 1000)";

export const startUp: Suite = {
  name: "start-up",
  minutes: 1,
  tools: [],
  run: async (options) => {
    const repetitions = options.repetitions ?? (options.isQuick ? 1 : 15);
    const times = await interleave(commands, repetitions, async ({ name, words }, repetition) => {
      const startedMs = performance.now();
      runNode(words);
      return { name, repetition, milliseconds: performance.now() - startedMs };
    });
    const imports = Array.from({ length: repetitions }, () =>
      Number(runNode(["--input-type=module", "--eval", importing])),
    );
    const sizes = await installedSizes();
    const own = sizes.find(({ name }) => name === "llm-etl")?.mebibytes;
    return {
      about:
        "Medians. Time is that of the whole process. Installed size is what packages take on the disk with all they depend on, without optional peers.",
      tables: [
        {
          title: "time of a command",
          columns: ["command", "ms"],
          rows: commands.map(({ name }) => [
            name,
            median(times.filter((one) => one.name === name).map(({ milliseconds }) => milliseconds)).toFixed(0),
          ]),
        },
        { title: "importing llm-etl", columns: ["", "ms of CPU"], rows: [["import", median(imports).toFixed(0)]] },
        {
          title: "installed size",
          columns: ["packages", "MiB"],
          rows: sizes.map(({ name, mebibytes }) => [name, mebibytes.toFixed(1)]),
        },
      ],
      budgets: [
        ...atMost({ what: "CPU to import llm-etl", limit: 250, measured: median(imports), digits: 0, unit: " ms" }),
        ...atMost({ what: "installed size", limit: 20, measured: own, digits: 1, unit: " MiB" }),
      ],
      measurements: [...times, { imports }, { sizes }],
    };
  },
};

function runNode(words: readonly string[]): string {
  const { NODE_V8_COVERAGE: _, ...env } = process.env;
  const { status, stdout } = spawnSync(process.execPath, words, { cwd: root, env, encoding: "utf8" });
  if (status !== 0) throw new Error(`node ${words.join(" ")} ended with ${status}`);
  return stdout;
}
