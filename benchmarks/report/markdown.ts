import type { SuiteResult, Table } from "../suites/suite.ts";
import type { Circumstances } from "./machine.ts";
import { cellText } from "./terminal.ts";

/** A suite as it stands in its JSON file. */
export interface KeptResult extends SuiteResult {
  readonly suite: string;
  readonly circumstances: Circumstances;
}

/** RESULTS.md: all suites as they were run last. */
export function markdown(results: readonly KeptResult[]): string {
  const budgets = results.flatMap((result) => result.budgets.map((budget) => ({ suite: result.suite, ...budget })));
  const missed = budgets.filter(({ isMet }) => !isMet).length;
  const parts = [
    "# Results",
    "Written by `npm run bench` from the files in `results/`; what the suites do stands in [README.md](README.md). " +
      "Medians of interleaved repetitions; ratios to another tool are within a repetition.",
    "## Budgets",
    `${budgets.length - missed} of ${budgets.length} are met.`,
    tableText({
      title: "",
      columns: ["suite", "what", "budget", "measured", "met"],
      rows: budgets.map(({ suite, what, budget, measured, isMet }) => {
        return [suite, what, budget, measured, isMet ? "yes" : "**no**"];
      }),
    }),
    ...results.flatMap(sectionOf),
  ];
  return `${parts.join("\n\n")}\n`;
}

function sectionOf({ suite, about, tables, circumstances }: KeptResult): string[] {
  const { date, machine, loadBefore, versions, command } = circumstances;
  const named = Object.entries(versions).map(([name, version]) => `${name} ${version}`);
  return [
    `## ${suite}`,
    about,
    ...tables.map((table) => `${table.title}\n\n${tableText(table)}`),
    `\`${command}\`, ${date} UTC, load before ${loadBefore}; ${machine}; ${named.join(", ")}`,
  ];
}

function tableText({ columns, rows }: Table): string {
  const [first = "", ...others] = columns;
  const lines = [
    [first, ...others],
    ["---", ...others.map(() => "---:")],
    ...rows.map((cells) => cells.map((cell) => cellText(cell).replaceAll("|", "\\|"))),
  ];
  return lines.map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}
