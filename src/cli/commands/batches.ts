import { Command } from "commander";
import type { OpenBatch } from "../../pipeline/batches-of.ts";
import { type CommandContext, envFileOption, moduleOr } from "../command.ts";
import { formatAmount, formatCount, formatDuration, formatThings, shortId } from "../format.ts";
import { importPipeline } from "../import-module.ts";
import { type Column, formatTable } from "../table.ts";

interface BatchesOptions {
  readonly cancel?: boolean;
  readonly json?: boolean;
}

const columns = (now: number): readonly Column<OpenBatch>[] => [
  { name: "Id", text: ({ id }) => shortId(id) },
  { name: "State", text: ({ state }) => state },
  { name: "Deployment", text: ({ deployment }) => deployment },
  { name: "Batch", text: ({ batchId }) => batchId ?? "-" },
  { name: "Requests", text: ({ requests }) => formatCount(requests), isNumeric: true },
  { name: "Cost at most", text: ({ worstCase }) => (worstCase === 0 ? "-" : formatAmount(worstCase)), isNumeric: true },
  { name: "Age", text: ({ createdAt }) => formatDuration(now - createdAt.getTime()), isNumeric: true },
];

/** Makes `llm-etl batches [pipeline.ts]`: it lists what is in batches of a Batch API, or cancels it. */
export function batchesCommand(name: string, { terminal, setExitCode, unhandled }: CommandContext): Command {
  return new Command(name)
    .argument("[pipeline.ts]", "the module, TypeScript or JavaScript; by default pipeline.ts in this folder")
    .option("--cancel", "ask the service to cancel all of them")
    .option("--json", "print one JSON array")
    .addOption(envFileOption())
    .addHelpText("after", "\nllm-etl run --batch collects what has ended, of cancelled batches too.")
    .addHelpText("after", "\nExample:\n  llm-etl batches pipeline.ts")
    .action(async (path: string | undefined, { cancel = false, json = false }: BatchesOptions) => {
      const pipeline = await unhandled.orFirst(async () => await importPipeline(moduleOr(path)));
      const open = await unhandled.orFirst(
        async () => await (cancel ? pipeline.cancelBatches() : pipeline.openBatches()),
      );
      if (json) terminal.stdout.write(`${JSON.stringify(open)}\n`);
      else if (open.length === 0) terminal.stdout.write("Nothing is in a batch.\n");
      else terminal.stdout.write(formatTable(columns(Date.now()), open));
      if (cancel && open.length > 0) {
        const asked = `Asked to cancel ${open.length === 1 ? "1 batch" : `${open.length} batches`}.`;
        terminal.stderr.write(`${asked} What was answered is collected by: llm-etl run --batch\n`);
        const held = open.filter(({ state }) => state === "held").length;
        if (held > 0)
          terminal.stderr.write(
            `${formatThings(held, "batch")} of which it is not known if the service has it was given up: it may be billed.\n`,
          );
      }
      setExitCode(0);
    });
}
