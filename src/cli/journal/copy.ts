import { Command } from "commander";
import { OptionError } from "../../errors/option.ts";
import { copyJournal, type CopyFinding } from "../../journal-upkeep/copy.ts";
import { whileHeld, withLook } from "../../journal-upkeep/look.ts";
import { type CommandContext, envFileOption } from "../command.ts";
import { formatCount } from "../format.ts";
import { stoppable } from "../stop-between.ts";
import { type Column, formatTable } from "../table.ts";
import { importWithJournal, type PipelineWithJournal } from "./journal-of.ts";

/** `llm-etl journal copy <from.ts> <to.ts>`: copies all that one pipeline's journal holds of it into that of another. */
export function copyCommand(name: string, { terminal, unhandled }: CommandContext): Command {
  return new Command(name)
    .summary("copy what a pipeline's journal holds of it into another one")
    .description("copy all that the journal of a pipeline holds of it into the journal of another, of any kind")
    .argument("<from.ts>", "the module of the pipeline whose journal is copied")
    .argument("<to.ts>", "the module whose journal takes it; the pipeline may be the same but for its journal")
    .option("--json", "one JSON object with what was copied")
    .addOption(envFileOption())
    .addHelpText("after", "\nExample:\n  llm-etl journal copy before.ts pipeline.ts")
    .action(async (from: string, to: string, { json = false }: { readonly json?: boolean }) => {
      const pair = await unhandled.orFirst(
        async () => [await importWithJournal(from), await importWithJournal(to)] as const,
      );
      const onPart = (what: string): unknown => terminal.stderr.write(`copying ${what}\n`);
      const findings = await stoppable(terminal, async (signal) => await copied(pair, signal, onPart));
      const [{ journal: before }, { journal: after }] = pair;
      const named = { from: before.identity, to: after.identity, findings };
      terminal.stdout.write(json ? `${JSON.stringify(named)}\n` : describe(named));
    });
}

async function copied(
  [from, to]: readonly [from: PipelineWithJournal, to: PipelineWithJournal],
  signal: AbortSignal,
  onPart: (what: string) => void,
): Promise<readonly CopyFinding[]> {
  if (from.journal.identity === to.journal.identity) {
    const hint = "give the second pipeline another journal";
    throw new OptionError("journal copy", "to", "both have the same journal", { got: to.journal.identity, hint });
  }
  const parts = [from, to].map(({ pipeline }) => ({ pipeline: pipeline.name, sinks: pipeline.sinkIdentities }));
  const [fromPart, toPart] = parts;
  if (fromPart === undefined || toPart === undefined) return [];
  return await withLook(from.journal, async (look) => {
    return await whileHeld(from.journal, signal, async () => {
      return await whileHeld(to.journal, signal, async (upkeep) => {
        const copy = async (toLook: typeof look): Promise<readonly CopyFinding[]> =>
          await copyJournal({
            from: { ...look, part: fromPart },
            to: { upkeep, look: toLook, part: toPart },
            signal,
            onPart,
          });
        return await withLook(to.journal, copy);
      });
    });
  });
}

function describe({ from, to, findings }: { from: string; to: string; findings: readonly CopyFinding[] }): string {
  const columns: readonly Column<CopyFinding>[] = [
    { name: "", text: ({ what }) => what },
    { name: "copied", text: (each) => formatCount(each.copied), isNumeric: true },
    { name: "there already", text: ({ kept }) => formatCount(kept), isNumeric: true },
  ];
  return `from ${from}\nto   ${to}\n${formatTable(columns, findings)}`;
}
