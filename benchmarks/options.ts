import { parseArgs } from "node:util";
import { suites } from "./suites/list.ts";
import { tools } from "./tools/list.ts";

export interface BenchmarkOptions {
  readonly suites: readonly string[];
  /** Empty for all that a suite has. */
  readonly tools: readonly string[];
  readonly rows: number | undefined;
  readonly repetitions: number | undefined;
  readonly isQuick: boolean;
  readonly profileFolder: string | undefined;
  readonly isHelp: boolean;
}

export const help = `npm run bench [-- <options>]

  --suite <names>        only these suites, separated by commas: ${suites.map(({ name }) => name).join(", ")}
  --tools <names>        only these tools: ${tools.map(({ name }) => name).join(", ")}
  --rows <count>         so many rows instead of each suite's own number
  --repetitions <count>  so many instead of each suite's own number
  --quick                a few rows, without the peers: does everything work? No figure counts, none is kept
  --profile <folder>     every tool leaves a CPU and an allocation profile there; no figure is kept
  --help

Minutes of the suites with their defaults: ${suites.map(({ name, minutes }) => `${name} ${minutes}`).join(", ")}.
`;

/** @throws {Error} for an option that is unknown or has a wrong value */
export function readOptions(words: readonly string[]): BenchmarkOptions {
  const { values } = parseArgs({
    args: [...words],
    options: {
      suite: { type: "string" },
      tools: { type: "string" },
      rows: { type: "string" },
      repetitions: { type: "string" },
      quick: { type: "boolean", default: false },
      profile: { type: "string" },
      help: { type: "boolean", default: false },
    },
  });
  const known = suites.map(({ name }) => name);
  return {
    suites: values.suite === undefined ? known : namesIn("--suite", values.suite, known),
    tools:
      values.tools === undefined
        ? []
        : namesIn(
            "--tools",
            values.tools,
            tools.map(({ name }) => name),
          ),
    rows: countIn("--rows", values.rows),
    repetitions: countIn("--repetitions", values.repetitions),
    isQuick: values.quick,
    profileFolder: values.profile,
    isHelp: values.help,
  };
}

function namesIn(option: string, text: string, known: readonly string[]): string[] {
  const names = text.split(",");
  const unknown = names.find((name) => !known.includes(name));
  if (unknown === undefined) return names;
  throw new Error(`${option}: there is no ${JSON.stringify(unknown)}; expected some of ${known.join(", ")}`);
}

function countIn(option: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (/^[1-9]\d*$/.test(text)) return Number(text);
  throw new Error(`${option}: expected a whole number from 1 up, got ${JSON.stringify(text)}`);
}
