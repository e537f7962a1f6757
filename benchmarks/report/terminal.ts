import type { Budget, SuiteResult, Table } from "../suites/suite.ts";

/** A suite's tables and budgets, for eyes on a terminal. */
export function terminalText({ tables, budgets }: SuiteResult): string {
  return [...tables.map(textOf), budgetText(budgets)].filter((part) => part !== "").join("\n\n");
}

function textOf({ title, columns, rows }: Table): string {
  const lines = [columns, ...rows].map((cells) => cells.map(cellText));
  const widths = columns.map((_, column) => Math.max(...lines.map((cells) => cells[column]?.length ?? 0)));
  const padded = lines.map((cells) =>
    cells
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0)))
      .join("  "),
  );
  return [title, ...padded.map((line) => `  ${line}`)].join("\n");
}

/** A ratio to what was not measured is no number. */
export function cellText(cell: string | number): string {
  return String(cell) === "NaN" ? "–" : String(cell);
}

function budgetText(budgets: readonly Budget[]): string {
  return budgets
    .map(({ what, budget, measured, isMet }) => `${isMet ? "met    " : "NOT MET"}  ${what}: ${measured} (${budget})`)
    .join("\n");
}
