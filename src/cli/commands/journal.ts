import { Command } from "commander";
import type { CommandContext } from "../command.ts";
import { copyCommand } from "../journal/copy.ts";
import { infoCommand } from "../journal/info.ts";
import { pruneCommand } from "../journal/prune.ts";

/** `llm-etl journal …`: looks after the journal of a pipeline. */
export function journalCommand(name: string, context: CommandContext): Command {
  return new Command(name)
    .addCommand(infoCommand("info", context))
    .addCommand(pruneCommand("prune", context))
    .addCommand(copyCommand("copy", context))
    .addHelpText("after", "\nExample:\n  llm-etl journal info pipeline.ts");
}
