/** Measures llm-etl beside what one would use instead: see README.md, or `npm run bench -- --help`. */
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { type BenchmarkOptions, help, readOptions } from "./options.ts";
import { circumstances } from "./report/machine.ts";
import { keepResult } from "./report/results.ts";
import { terminalText } from "./report/terminal.ts";
import { suites } from "./suites/list.ts";
import type { SuiteOptions } from "./suites/suite.ts";
import { arePeersInstalled, toolNamed } from "./tools/list.ts";
import { makeQuestions } from "./workload/questions.ts";

try {
  const words = process.argv.slice(2);
  const options = readOptions(words);
  if (options.isHelp) console.log(help);
  else await bench(options, ["npm run bench", ...(words.length === 0 ? [] : ["--", ...words])].join(" "));
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}

async function bench(options: BenchmarkOptions, command: string): Promise<void> {
  const usesPeers = !options.isQuick && arePeersWanted(options);
  if (usesPeers && !arePeersInstalled()) {
    throw new Error(
      "the tools to compare with are not installed: run `npm ci --prefix benchmarks/peers`, or choose others with --tools llm-etl,llm-etl-bare,loop",
    );
  }
  const profileFolder = options.profileFolder === undefined ? undefined : resolve(options.profileFolder);
  if (profileFolder !== undefined) mkdirSync(profileFolder, { recursive: true });
  const folder = mkdtempSync(join(tmpdir(), "llm-etl-bench-"));
  const shared: SuiteOptions = {
    ...options,
    folder,
    questions: makeQuestions(),
    wants: (tool) => (usesPeers || !toolNamed(tool).isPeer) && isChosen(options, tool),
    profileFolder,
    log: (line) => console.log(`  ${line}`),
  };
  try {
    for (const { name, run } of suites.filter((suite) => options.suites.includes(suite.name))) {
      console.log(`\n${name}`);
      const before = circumstances(command);
      const result = await run(shared);
      const text = terminalText(result);
      console.log(options.isQuick ? "  every row is right" : `\n${text}`);
      if (!options.isQuick && options.profileFolder === undefined) keepResult(name, before, result);
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function isChosen({ tools }: BenchmarkOptions, tool: string): boolean {
  return tools.length === 0 || tools.includes(tool);
}

function arePeersWanted(options: BenchmarkOptions): boolean {
  const names = suites.filter(({ name }) => options.suites.includes(name)).flatMap((suite) => suite.tools);
  return names.some((name) => toolNamed(name).isPeer && isChosen(options, name));
}
