import { Command } from "commander";
import type { Journal } from "../../contracts/journal.ts";
import { OptionError } from "../../errors/option.ts";
import { type Look, whileHeld, withLook } from "../../journal-upkeep/look.ts";
import { prune, type PruneFinding, type PruneRequest, type StayReason } from "../../journal-upkeep/prune.ts";
import { runAges } from "../../journal-upkeep/runs.ts";
import { addText, age } from "../arguments.ts";
import { type CommandContext, envFileOption, moduleOr } from "../command.ts";
import { formatBytes, formatCount, formatDuration, formatTime } from "../format.ts";
import { importWithJournal, type PipelineWithJournal } from "./journal-of.ts";
import { stoppable } from "../stop-between.ts";
import { formatTable } from "../table.ts";

interface PruneCommandOptions {
  readonly olderThan: number;
  readonly yes?: boolean;
  readonly sink?: readonly string[];
  readonly includeCurrent?: boolean;
  readonly json?: boolean;
}

/** `llm-etl journal prune [pipeline.ts]`: removes what no run needs any more from the journal of a pipeline. */
export function pruneCommand(name: string, { terminal, unhandled }: CommandContext): Command {
  return new Command(name)
    .summary("remove old answers that no row uses, and old runs")
    .description("remove old answers that no row uses, and old runs, from the journal of a pipeline")
    .argument("[pipeline.ts]")
    .requiredOption("--older-than <age>", "remove only what is older: 90d, 12h, 8w", age)
    .option("--yes", "remove it; without this it is only counted")
    .option("--sink <identity>", "forget the rows of this sink, too (repeatable)", addText)
    .option("--include-current", "remove also what rows use and runs go on from")
    .option("--json", "one JSON object with what goes and what stays")
    .addOption(envFileOption())
    .addHelpText("after", "\nExample:\n  llm-etl journal prune pipeline.ts --older-than 90d")
    .action(async (path: string | undefined, options: PruneCommandOptions) => {
      const found = await unhandled.orFirst(async () => await importWithJournal(moduleOr(path)));
      const { journal } = found;
      const result = await stoppable(terminal, async (signal) => await pruned(found, options, signal));
      const named = { journal: journal.identity, ...result };
      terminal.stdout.write(options.json === true ? `${JSON.stringify(named)}\n` : describe(named, options));
    });
}

interface Pruned {
  readonly before: Date;
  readonly isRemoved: boolean;
  readonly findings: readonly PruneFinding[];
  /** In bytes; null where the journal can't tell. */
  readonly size: number | null;
  readonly sizeBefore: number | null;
}

async function pruned(
  { pipeline, journal }: PipelineWithJournal,
  { olderThan, yes = false, sink: sinks = [], includeCurrent = false }: PruneCommandOptions,
  signal: AbortSignal,
): Promise<Pruned> {
  return await withLook(journal, async (look) => {
    const own = includeCurrent ? [] : pipeline.sinkIdentities;
    const sinkKeys = await keysOf(look, sinks, own);
    const sizeBefore = await look.contents.size();
    const before = new Date(Date.now() - olderThan);
    const findings = await pruneWith(journal, look, { yes, signal, request: { before, includeCurrent, sinkKeys } });
    return { before, isRemoved: yes, findings, size: await look.contents.size(), sizeBefore };
  });
}

interface Given {
  readonly yes: boolean;
  readonly signal: AbortSignal;
  readonly request: PruneRequest;
}

async function pruneWith(
  journal: Journal,
  look: Look,
  { yes, signal, request }: Given,
): Promise<readonly PruneFinding[]> {
  if (!yes) return await prune({ look, upkeep: undefined, request, signal });
  return await whileHeld(journal, signal, async (upkeep) => await prune({ look, upkeep, request, signal }));
}

/** The names under which the journal has the rows of sinks. @throws {OptionError} for one that it does not know, and for the pipeline's own */
async function keysOf(look: Look, sinks: readonly string[], own: readonly string[]): Promise<readonly string[]> {
  if (sinks.length === 0) return [];
  const { sinkKey, rowCounts } = look.contents;
  const known = new Set((await rowCounts()).map((each) => each.sinkKey));
  const names = [...new Set([...(await runAges(look)).values()].flatMap((run) => run.sinks))];
  return sinks.map((sink) => {
    if (own.includes(sink)) {
      const hint = "add --include-current, or leave it out";
      throw new OptionError(
        "journal prune",
        "--sink",
        "it is a sink of the pipeline itself: each row would be written again",
        { got: sink, hint },
      );
    }
    const key = known.has(sink) ? sink : sinkKey(sink);
    if (known.has(key)) return key;
    const expected = names.filter((name) => known.has(sinkKey(name)));
    throw new OptionError("journal prune", "--sink", "", {
      expected,
      got: sink,
      hint: "llm-etl journal info lists them",
    });
  });
}

const reasons: Readonly<Record<StayReason, string>> = {
  used: "used by a row's last outcome",
  younger: "younger",
  olderVersion: "of version 0.1, while some row has not ended since: it may use any of them",
  newest: "the newest to their sinks, whose rows stay",
  current: "removed with --include-current only",
  kept: "of sinks that --sink does not name",
};

function describe(
  { journal, before, isRemoved, findings, size, sizeBefore }: Pruned & { readonly journal: string },
  { olderThan }: PruneCommandOptions,
): string {
  const columns = [
    { name: "", text: ({ what }: PruneFinding) => what },
    { name: isRemoved ? "removed" : "would go", text: ({ goes }: PruneFinding) => formatCount(goes), isNumeric: true },
    { name: "stay", text: ({ stays }: PruneFinding) => formatCount(sumOf(stays)), isNumeric: true },
    { name: "because", text: becauseOf },
  ];
  const sizes =
    size === null || sizeBefore === null
      ? []
      : [
          isRemoved
            ? `size: ${formatBytes(sizeBefore)} before, ${formatBytes(size)} now\n`
            : `size: ${formatBytes(size)}\n`,
        ];
  return [
    `journal: ${journal}\n`,
    `older than ${formatDuration(olderThan)}: before ${formatTime(before)}\n`,
    ...sizes,
    formatTable(
      columns,
      findings.filter(({ goes, stays }) => goes + sumOf(stays) > 0),
    ),
    ...(isRemoved ? [] : ["Nothing was removed: --yes does it.\n"]),
  ].join("");
}

function sumOf(stays: PruneFinding["stays"]): number {
  return Object.values(stays).reduce((sum, count) => sum + count, 0);
}

function becauseOf({ stays }: PruneFinding): string {
  const entries = Object.entries(stays) as [StayReason, number][]; // its own keys
  return entries.map(([reason, count]) => `${formatCount(count)} ${reasons[reason]}`).join(", ");
}
