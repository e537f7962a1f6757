import type { PlannedNumber, PlanReport } from "../plan/report.ts";
import { formatCost, formatCount, formatDuration, formatThings, inOneLine, listPriceMark } from "./format.ts";
import { type Column, formatTable } from "./table.ts";

/** One line of a table of what a run takes. */
interface Line {
  readonly name: string;
  readonly low: string;
  readonly estimate: string;
  readonly high: string;
}

const lineColumns: readonly Column<Line>[] = [
  { name: "A run from now on", text: ({ name }) => name },
  { name: "At least", text: ({ low }) => low, isNumeric: true },
  { name: "Estimate", text: ({ estimate }) => estimate, isNumeric: true },
  { name: "At most", text: ({ high }) => high, isNumeric: true },
];

type Step = PlanReport["steps"][number];

const stepColumns: readonly Column<Step>[] = [
  { name: "Step", text: ({ step }) => step },
  { name: "Requests to ask", text: ({ requests }) => formatCount(requests), isNumeric: true },
  { name: "Rows that wait", text: ({ rows }) => formatCount(rows), isNumeric: true },
  { name: "Answers reused", text: ({ reusedAnswers }) => formatCount(reusedAnswers), isNumeric: true },
];

/** A plan as lines for a terminal. */
export function planLines(plan: PlanReport): readonly string[] {
  return [
    `${plan.pipeline}: ${rowsOf(plan)}`,
    "",
    ...tableLines(stepColumns, plan.steps),
    "",
    ...tableLines(lineColumns, linesOf(plan)),
    "",
    ...sentencesOf(plan),
    ...plan.notes.map(({ code, message }) => `! ${message} [${code}]`),
  ].map(inOneLine);
}

/** A plan as Markdown, for a pull request. */
export function planMarkdown(plan: PlanReport): readonly string[] {
  return [
    `### Plan of ${inMarkdown(plan.pipeline)}`,
    "",
    `${rowsOf(plan)}.`,
    "",
    ...markdownTable(stepColumns, plan.steps),
    "",
    ...markdownTable(lineColumns, linesOf(plan)),
    "",
    ...sentencesOf(plan),
    ...(plan.notes.length === 0 ? [] : ["", ...plan.notes.map(({ message }) => `- ${inMarkdown(message)}`)]),
  ].map(inOneLine);
}

function rowsOf({ rows: { read, answered, toAsk, failing }, steps }: PlanReport): string {
  const requests = steps.reduce((sum, step) => sum + step.requests, 0);
  const parts = [
    ...(answered > 0 ? [`${formatCount(answered)} need no call`] : []),
    ...(toAsk > 0 ? [`${formatCount(toAsk)} wait for ${formatThings(requests, "request")}`] : []),
    ...(failing > 0 ? [`${formatCount(failing)} fail before a call`] : []),
  ];
  return [formatThings(read, "row"), ...parts].join("; ");
}

function linesOf({ run, cost }: PlanReport): readonly Line[] {
  const counts = [
    line("Calls", run.calls, formatCount),
    line("  re-asks of them", run.reAsks, formatCount),
    line("Input tokens", run.inputTokens, formatCount),
    line("  cached of them", run.cachedTokens, formatCount),
    line("Output tokens", run.outputTokens, formatCount),
    line("Rows that fail", run.failedRows, formatCount),
    line(`Time, by ${run.durationBy}`, run.durationMs, formatDuration),
  ];
  if (cost === null) return counts;
  const { currency, tiers } = cost;
  const costs = tiers.map(({ tier, isChosen, ...amount }) => {
    const name = tierNames.get(tier) ?? `Cost in ${tier}`;
    return line(isChosen && tiers.length > 1 ? `${name} (chosen)` : name, amount, (value) =>
      formatCost({ amount: value, currency }),
    );
  });
  return [...counts, ...costs];
}

const tierNames: ReadonlyMap<string, string> = new Map([
  ["standard", "Cost"],
  ["batch", "Cost in a Batch API"],
  ["mixed", "Cost in each provider's tier"],
]);

function line(name: string, { estimate, low, high }: PlannedNumber, format: (value: number) => string): Line {
  return { name, low: format(low), estimate: format(estimate), high: high === null ? "not known" : format(high) };
}

function sentencesOf({ sample, tokensBy, cost }: PlanReport): readonly string[] {
  const { requests, of, calls, cost: paid, runId } = sample;
  const counted = tokensBy === "tokenizer" ? "counted by a tokenizer" : "estimated from their characters";
  if (of === 0) return ["There is nothing to ask."];
  const asked =
    runId === null
      ? `Nothing was asked: ${formatCount(requests)} of ${formatThings(of, "request")} were looked at.`
      : `The sample asked ${formatCount(requests)} of ${formatThings(of, "request")} in ${formatThings(calls, "call")}${paid === null ? "" : `, for ${formatCost(paid)}`}.`;
  return [
    asked,
    requests === of && runId !== null
      ? "All requests were asked."
      : `The ends are those of 95 % intervals. Sizes of requests were ${counted}${runId === null ? "" : ", and corrected by the sample"}.`,
    ...(cost === null || cost.listedIn === null ? [] : [`By ${listPriceMark(cost.listedIn)}.`]),
  ];
}

function tableLines<Item>(columns: readonly Column<Item>[], items: readonly Item[]): readonly string[] {
  return formatTable(columns, items).trimEnd().split("\n");
}

function markdownTable<Item>(columns: readonly Column<Item>[], items: readonly Item[]): readonly string[] {
  return [
    markdownRow(columns.map(({ name }) => name)),
    `|${columns.map(({ isNumeric = false }) => (isNumeric ? " ---: " : " --- ")).join("|")}|`,
    ...items.map((item) => markdownRow(columns.map(({ text }) => text(item).trim()))),
  ];
}

function markdownRow(cells: readonly string[]): string {
  return `| ${cells.map(inMarkdown).join(" | ")} |`;
}

/** Names of steps may hold marks. */
function inMarkdown(text: string): string {
  return text.replaceAll(/[\\|`*_<>[\]]/g, String.raw`\$&`);
}
