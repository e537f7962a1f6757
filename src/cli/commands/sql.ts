import { Command, Option } from "commander";
import { OptionError } from "../../errors/option.ts";
import type { TargetDescription } from "../../table/description.ts";
import { createTable as createSQLServerTable } from "../../sql-server/write/create-table.ts";
import { createTable as createSQLiteTable } from "../../sqlite/create-table.ts";
import { importPipeline } from "../import-module.ts";
import { type CommandContext, envFileOption } from "../command.ts";

interface CreateTableOptions {
  readonly table?: string;
  readonly dialect?: string;
}

/** By the name of the sink that writes to such a table. */
const dialects: ReadonlyMap<string, (target: TargetDescription, table: string) => string> = new Map([
  ["sql-server", createSQLServerTable],
  ["sqlite", createSQLiteTable],
]);

/** `llm-etl sql …`: SQL that goes with a pipeline. It is printed and never run. */
export function sqlCommand(name: string, { terminal }: CommandContext): Command {
  const createTable = new Command("create-table")
    .description("print the CREATE TABLE that fits the columns of a pipeline")
    .argument("<pipeline.ts>", "the module: TypeScript or JavaScript")
    .option("--table <name>", "the table's name, as the dialect writes it; the sink's by default")
    .addOption(
      new Option("--dialect <name>", "whose SQL to print; the sink's by default").choices([...dialects.keys()]),
    )
    .addOption(envFileOption())
    .addHelpText("after", "\nExample:\n  llm-etl sql create-table pipeline.ts --dialect sql-server --table dbo.visits")
    .action(async (path: string, options: CreateTableOptions) => {
      const { describeTarget } = await importPipeline(path);
      const target = describeTarget();
      const table = options.table ?? target.targetTable;
      const create = dialects.get(options.dialect ?? target.sink);
      if (table === undefined || create === undefined) throw missing(target.sink, options);
      terminal.stdout.write(create(target, table));
    });
  return new Command(name)
    .addCommand(createTable)
    .addHelpText("after", "\nExample:\n  llm-etl sql create-table pipeline.ts");
}

function missing(sink: string, { table, dialect }: CreateTableOptions): OptionError {
  const wanted = [
    ...(table === undefined ? ["--table <name>"] : []),
    ...(dialect === undefined ? [`--dialect ${[...dialects.keys()].join(" or ")}`] : []),
  ];
  const option = table === undefined ? "--table" : "--dialect";
  return new OptionError(
    "sql create-table",
    option,
    `the sink "${sink}" writes to no table that is known here: give ${wanted.join(" and ")}`,
  );
}
