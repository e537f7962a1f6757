import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { suites } from "../suites/list.ts";
import type { SuiteResult } from "../suites/suite.ts";
import type { Circumstances } from "./machine.ts";
import { type KeptResult, markdown } from "./markdown.ts";

const folder = new URL("../results/", import.meta.url);
const page = new URL("../RESULTS.md", import.meta.url);

/** Keeps a suite's result in the place of its last one, and writes RESULTS.md anew from all that are there. */
export function keepResult(suite: string, circumstances: Circumstances, result: SuiteResult): void {
  const kept: KeptResult = { suite, circumstances, ...result };
  mkdirSync(folder, { recursive: true });
  writeFileSync(fileOf(suite), jsonOf(kept));
  const names = [...suites.map(({ name }) => name), "attack", "attack-server"]; // which have a command of their own
  writeFileSync(page, markdown(names.flatMap((name) => readResult(name))));
}

function readResult(suite: string): KeptResult[] {
  if (!existsSync(fileOf(suite))) return [];
  const kept: KeptResult = JSON.parse(readFileSync(fileOf(suite), "utf8")); // written above
  return [kept];
}

function fileOf(suite: string): URL {
  return new URL(`${suite}.json`, folder);
}

/** One measurement a line: so a new run is a readable difference to the one before. */
function jsonOf({ measurements, ...rest }: KeptResult): string {
  const head = JSON.stringify(rest, undefined, 2).slice(0, -2);
  const lines = measurements.map((one) => `    ${JSON.stringify(one)}`);
  return `${head},\n  "measurements": [\n${lines.join(",\n")}\n  ]\n}\n`;
}
