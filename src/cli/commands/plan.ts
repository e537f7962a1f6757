import { Command, Option } from "commander";
import { addParameter, amount, wholeNumber, wholeNumberOrZero } from "../arguments.ts";
import { type CommandContext, envFileOption, moduleOr } from "../command.ts";
import { formatCost, formatCount, formatThings } from "../format.ts";
import { importPipeline } from "../import-module.ts";
import { planLines, planMarkdown } from "../plan-text.ts";
import type { PlanEvent } from "../../plan/options.ts";
import { stopSignals } from "../signals.ts";

interface PlanCommandOptions {
  readonly sample?: number;
  /** False where `--no-calls` was given. */
  readonly calls: boolean;
  readonly seed?: number;
  readonly limit?: number;
  readonly param?: Readonly<Record<string, string>>;
  readonly maxCost?: number;
  readonly concurrency?: number;
  readonly full?: boolean;
  readonly json?: boolean;
  readonly markdown?: boolean;
}

/** Makes `llm-etl plan [pipeline.ts]`: it says what a run would cost, and asks a sample for that. */
export function planCommand(name: string, { terminal, setExitCode, unhandled }: CommandContext): Command {
  return new Command(name)
    .argument("[pipeline.ts]")
    .option("--sample <requests>", "ask this many requests for real (default 120)", wholeNumber)
    .option("--no-calls", "ask nothing: wider intervals")
    .option("--seed <number>", "another sample (default 0)", wholeNumberOrZero)
    .option("--limit <rows>", "plan a run of at most this many rows", wholeNumber)
    .option("--concurrency <rows>", "rows processed concurrently", wholeNumber)
    .option("--param <name=value>", "a value for the source's statement (repeatable)", addParameter)
    .option("--max-cost <amount>", "stop the sample before it costs more", amount)
    .option("--full", "plan a run that reads every row")
    .addOption(new Option("--json", "print the plan as one JSON object").conflicts("markdown"))
    .option("--markdown", "print the plan as Markdown")
    .addOption(envFileOption())
    .addHelpText("after", "\nThe calls of the sample are real and cost money; a run reuses their answers.")
    .addHelpText("after", "\nExample:\n  llm-etl plan pipeline.ts --sample 120 --max-cost 1")
    .action(async (path: string | undefined, options: PlanCommandOptions) => {
      const { param: parameters, json = false, markdown = false, ...given } = options;
      const say = (line: string): void => void terminal.stderr.write(`${line}\n`);
      const pipeline = await unhandled.orFirst(async () => await importPipeline(moduleOr(path)));
      const { signal, stopNowSignal, release } = stopSignals(terminal, say);
      try {
        const onPlanEvent = (event: PlanEvent): void => {
          for (const line of linesOf(event)) say(line);
        };
        const plan = await unhandled.orFirst(async () => {
          return await pipeline.plan({ ...given, parameters, signal, stopNowSignal, onPlanEvent });
        });
        const text = markdown ? planMarkdown(plan) : planLines(plan);
        terminal.stdout.write(json ? `${JSON.stringify(plan)}\n` : `${text.join("\n")}\n`);
        setExitCode(0);
      } finally {
        release();
      }
    });
}

/** So many rows pass between two lines of progress. */
const rowsBetweenLines = 100_000;

function linesOf(event: PlanEvent): readonly string[] {
  switch (event.type) {
    case "rows-looked-up": {
      const { rowCount } = event;
      return rowCount > 0 && rowCount % rowsBetweenLines === 0 ? [`${formatCount(rowCount)} rows looked up`] : [];
    }
    case "sample-start": {
      const { requests, of, rows, atMost } = event;
      const cost = atMost.cost === null ? "" : ` and ${formatCost(atMost.cost)}`;
      const sample = `${formatCount(requests)} of ${formatThings(of, "request")}, in ${formatThings(rows, "row")}`;
      return [`The sample asks ${sample}. It takes at most ${formatThings(atMost.calls, "call")}${cost}.`];
    }
    case "sample-row":
    default:
      return [];
  }
}
