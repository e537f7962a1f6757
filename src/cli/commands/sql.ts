import { Command, Option } from "commander";
import { OptionError } from "../../errors/option.ts";
import type { SQLDialect, TargetDescription } from "../../contracts/target.ts";
import { importPipeline } from "../import-module.ts";
import { type CommandContext, envFileOption } from "../command.ts";
import { loadDialects } from "../sink-dialects.ts";

interface CreateTableOptions {
  readonly table?: string;
  readonly dialect?: string;
}

/** `llm-etl sql …`: SQL that goes with a pipeline. It is printed and never run. */
export function sqlCommand(name: string, { terminal, unhandled }: CommandContext): Command {
  const createTable = new Command("create-table")
    .summary("print the CREATE TABLE of its target")
    .description("print the CREATE TABLE that fits the columns of a pipeline")
    .argument("<pipeline.ts>", "the module: TypeScript or JavaScript")
    .option("--table <name>", "the table's name, as the dialect writes it; the sink's by default")
    .addOption(new Option("--dialect <name>", "whose SQL to print, by the name of a sink; the sink's by default"))
    .addOption(envFileOption())
    .addHelpText("after", "\nExample:\n  llm-etl sql create-table pipeline.ts --table visits")
    .action(async (path: string, options: CreateTableOptions) => {
      const wanted = options.dialect === undefined ? undefined : await dialectNamed(options.dialect);
      const { describeTargets } = await unhandled.orFirst(async () => await importPipeline(path));
      const statements: string[] = [];
      for (const target of targetsFor(describeTargets(), options)) {
        const table = options.table ?? target.targetTable;
        const dialect = wanted ?? target.dialect;
        if (table === undefined || dialect === undefined) throw await missing(target.sink, options);
        statements.push(dialect.createTable(target, table));
      }
      terminal.stdout.write(statements.join("\n"));
    });
  const createJournal = new Command("create-journal")
    .summary("print the SQL of its journal's tables")
    .description("print the statements that make the tables of a pipeline's journal, or bring them up to date")
    .argument("<pipeline.ts>", "the module: TypeScript or JavaScript")
    .addOption(envFileOption())
    .addHelpText("after", "\nExample:\n  llm-etl sql create-journal pipeline.ts")
    .action(async (path: string) => {
      const { journal } = await unhandled.orFirst(async () => await importPipeline(path));
      if (journal?.createStatements === undefined) throw needsNoTables(journal?.name);
      terminal.stdout.write(journal.createStatements());
    });
  return new Command(name)
    .addCommand(createTable)
    .addCommand(createJournal)
    .addHelpText("after", "\nExample:\n  llm-etl sql create-table pipeline.ts");
}

function needsNoTables(journal: string | undefined): OptionError {
  const problem =
    journal === undefined ? "the pipeline has no journal" : `the ${journal} makes all that it needs by itself`;
  return new OptionError("sql create-journal", "journal", problem);
}

/** Those that are tables, of several; with `--table` the one with that name, for no two can be made under it. */
function targetsFor(
  targets: readonly TargetDescription[],
  { table }: CreateTableOptions,
): readonly TargetDescription[] {
  if (targets.length === 1) return targets;
  const tables = targets.filter(({ targetTable }) => targetTable !== undefined);
  if (table === undefined) return tables.length === 0 ? targets : tables;
  const named = tables.filter(({ targetTable }) => targetTable === table);
  if (named.length === 1) return named;
  const expected = tables.map(({ targetTable }) => targetTable ?? "");
  const hint = "the pipeline has several sinks: name one of their tables, or leave out --table for all";
  throw new OptionError("sql create-table", "--table", "", { expected, got: table, hint });
}

async function dialectNamed(name: string): Promise<SQLDialect> {
  const dialects = await loadDialects();
  const found = dialects.find((dialect) => dialect.name === name);
  if (found !== undefined) return found;
  const expected = dialects.map((dialect) => dialect.name);
  throw new OptionError("sql create-table", "--dialect", "", { expected, got: JSON.stringify(name) });
}

async function missing(sink: string, { table, dialect }: CreateTableOptions): Promise<OptionError> {
  const wanted = [
    ...(table === undefined ? ["--table <name>"] : []),
    ...(dialect === undefined ? [`--dialect ${inWords(await loadDialects())}`] : []),
  ];
  const option = table === undefined ? "--table" : "--dialect";
  return new OptionError(
    "sql create-table",
    option,
    `the sink "${sink}" writes to no table that is known here: give ${wanted.join(" and ")}`,
  );
}

function inWords(dialects: readonly SQLDialect[]): string {
  return dialects.map(({ name }) => name).join(" or ");
}
