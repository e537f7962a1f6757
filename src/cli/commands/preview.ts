import { Command } from "commander";
import type { PreviewedRow, PreviewReport } from "../../contracts/report.ts";
import type { ColumnValues } from "../../contracts/sink.ts";
import { toJSONValue } from "../../json/json.ts";
import { addParameter, amount, wholeNumber } from "../arguments.ts";
import { type CommandContext, envFileOption, moduleOr } from "../command.ts";
import { formatThings, inOneLine } from "../format.ts";
import { importPipeline } from "../import-module.ts";
import { callLinesOf, endingOf } from "../summary.ts";
import { watch } from "../watch.ts";

interface PreviewCommandOptions {
  readonly rows?: number;
  readonly sample?: boolean;
  readonly seed?: number;
  readonly param?: Readonly<Record<string, string>>;
  readonly maxCost?: number;
  readonly json?: boolean;
}

/** Makes `llm-etl preview [pipeline.ts]`: it shows a few rows as a run would write them, and writes none. */
export function previewCommand(name: string, context: CommandContext): Command {
  const { terminal, setExitCode, isDebug } = context;
  return new Command(name)
    .argument("[pipeline.ts]", "the module; by default pipeline.ts in this folder")
    .option("--rows <count>", "the number of rows (default 5)", wholeNumber)
    .option("--sample", "a random sample of all rows instead of the first ones: reads the whole source")
    .option("--seed <number>", "chooses the sample; the same number gives the same rows", wholeNumber)
    .option("--param <name=value>", "a value for the source's statement (repeatable)", addParameter)
    .option("--max-cost <amount>", "stop when the preview has cost this much", amount)
    .option("--json", "print one JSON object: the rows and the report")
    .addOption(envFileOption())
    .addHelpText("after", "\nThe calls are real and cost money; a run then reuses their answers.")
    .addHelpText("after", "\nExample:\n  llm-etl preview pipeline.ts --rows 20 --sample --seed 7")
    .action(async (path: string | undefined, options: PreviewCommandOptions) => {
      const { rows, sample, seed, param: parameters, maxCost, json = false } = options;
      const pipeline = await context.unhandled.orFirst(async () => await importPipeline(moduleOr(path)));
      const watched = await watch(context, { quiet: true }, async (seen) => {
        return await pipeline.preview({ rows, sample, seed, parameters, maxCost, ...seen });
      });
      const { report } = watched;
      terminal.stdout.write(json ? `${JSON.stringify(toJSONValue(report))}\n` : report.rows.map(linesOf).join("\n"));
      if (!json) for (const line of summaryOf(report)) terminal.stderr.write(`${line}\n`);
      for (const line of endingOf(watched, isDebug())) terminal.stderr.write(`${line}\n`);
      setExitCode(report.exitCode);
    });
}

/** Shows a row: its columns with their values, or why it failed. Its text must not control the terminal. */
function linesOf(row: PreviewedRow<unknown>): string {
  const { position, pk, failure } = row;
  const title = `Row ${position}${pk === null ? "" : ` (${inOneLine(pk)})`}`;
  if (failure !== null) {
    const place = failure.step === null ? "" : ` at step ${failure.step}`;
    return `${title} failed${inOneLine(place)}: ${inOneLine(failure.error.detail)} [${failure.error.code}]\n`;
  }
  if (row.targets === undefined) return `${[title, ...columnLines(row.values)].join("\n")}\n`;
  const lines = row.targets.flatMap(({ sink, rows }) =>
    rows.length === 0
      ? [`  ${inOneLine(sink)}: no row`]
      : rows.flatMap((values, index) => [
          `  ${inOneLine(sink)}${rows.length === 1 ? "" : `, ${index + 1} of ${rows.length}`}:`,
          ...columnLines(values).map((line) => `  ${line}`),
        ]),
  );
  return `${[title, ...lines].join("\n")}\n`;
}

function columnLines(values: ColumnValues): readonly string[] {
  const columns = Object.entries(values);
  const width = Math.max(...columns.map(([column]) => column.length));
  return columns.map(([column, value]) => `  ${inOneLine(column).padEnd(width)}  ${inOneLine(textOf(value))}`);
}

function textOf(value: unknown): string {
  if (value === null || value === undefined) return "NULL";
  const plain = toJSONValue(value);
  return typeof plain === "string" ? plain : (JSON.stringify(plain) ?? "NULL");
}

function summaryOf(report: PreviewReport<unknown>): readonly string[] {
  const failed = report.failureCount === 0 ? "" : `, ${formatThings(report.failureCount, "row")} failed`;
  return [
    "",
    `${formatThings(report.successCount, "row")} finished${failed}; nothing was written`,
    ...callLinesOf(report),
  ];
}
