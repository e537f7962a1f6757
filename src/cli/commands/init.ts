import { join } from "node:path";
import { Command, Option } from "commander";
import type { CommandContext } from "../command.ts";
import { makeProject, type Project } from "../init/project.ts";
import { askForChoices, type Choices, defaultChoices, providers, sources } from "../init/questions.ts";
import { isWatched } from "../terminal.ts";

interface InitCommandOptions extends Partial<Omit<Choices, "folder">> {
  readonly name?: string;
}

/** `llm-etl init [folder]`: makes a project that runs. */
export function initCommand(name: string, { terminal, setExitCode }: CommandContext): Command {
  return new Command(name)
    .argument("[folder]", "an existing folder or a new one; by default the one that is here")
    .addOption(new Option("--source <kind>", 'where rows come from and go to (default: "sqlite")').choices(sources))
    .addOption(new Option("--provider <kind>", 'the model that answers (default: "mock")').choices(providers))
    .option("--name <pipeline>", 'the pipeline\'s name (default: "patient_visit_enrichment")')
    .addHelpText("after", help)
    .action(async (folder: string | undefined, { name: pipeline, source, provider }: InitCommandOptions) => {
      const given = { ...(folder && { folder }), ...(source && { source }), ...(provider && { provider }) };
      const mayAsk = isWatched(terminal) && terminal.stdin.isTTY === true;
      const choices = mayAsk
        ? await askForChoices(given, { input: process.stdin, output: process.stderr })
        : { ...defaultChoices, ...given };
      if (choices === undefined) {
        terminal.stderr.write("Cancelled: nothing was written.\n");
        setExitCode(2);
        return;
      }
      if (mayAsk) terminal.stderr.write("\n");
      const project = await makeProject({ ...choices, name: pipeline });
      terminal.stdout.write(project.created.map((path) => `${join(choices.folder, path)}\n`).join(""));
      terminal.stderr.write(`\n${nextSteps(choices, project)}`);
    });
}

const help = `
In a terminal it asks for the folder, the source and the provider that are not
given. Files that are there are never overwritten.

Example:
  llm-etl init my-project --source csv --provider mock`;

/** What is left to do, ready to be typed. */
function nextSteps({ folder, source, provider }: Choices, { changes, missingPackages }: Project): string {
  const needsVariables = source === "sql-server" || provider === "azure-openai";
  const steps = [
    ...(folder === defaultChoices.folder ? [] : [`cd ${inQuotes(folder)}`]),
    ...(missingPackages.length === 0 ? [] : [`npm install   (adds ${missingPackages.join(", ")})`]),
    ...(source === "sql-server" ? ["run sql/create_tables.sql in a database of yours"] : []),
    ...(needsVariables ? ["copy .env.example to .env, and fill it in"] : []),
    `npx llm-etl run${needsVariables ? " --env-file .env" : ""}`,
  ];
  return [
    ...(changes.length === 0 ? [] : ["Files that were there:", ...changes.map((change) => `  ${change}`), ""]),
    "Next:",
    ...steps.map((step) => `  ${step}`),
    "",
    `Its rows will be in ${results[source]}`,
    "",
  ].join("\n");
}

const results = {
  sqlite: "the table enriched_encounters of data/clinic.db: node show-rows.ts",
  csv: "output/enriched_encounters.csv",
  "sql-server": "the table dbo.enriched_encounters",
} as const satisfies Record<Choices["source"], string>;

function inQuotes(folder: string): string {
  return /^[\p{L}\p{N}._/\\:~-]+$/u.test(folder) ? folder : `'${folder.replaceAll("'", "'\\''")}'`;
}
