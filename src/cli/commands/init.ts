import { join } from "node:path";
import { Command, Option } from "commander";
import type { CommandContext } from "../command.ts";
import { makeProject, type Project } from "../init/project.ts";
import { askForChoices, type Choices } from "../init/questions.ts";
import { findTemplates, type Template, type Templates } from "../init/templates.ts";
import { isWatched } from "../terminal.ts";

interface InitCommandOptions {
  readonly source?: string;
  readonly provider?: string;
  readonly name?: string;
}

const here = ".";

/** `llm-etl init [folder]`: makes a project that runs. */
export function initCommand(name: string, { terminal, setExitCode }: CommandContext): Command {
  const templates = findTemplates();
  const { sources, providers } = templates;
  return new Command(name)
    .argument("[folder]", "an existing folder or a new one; by default the one that is here")
    .addOption(choiceOf("--source <kind>", "where rows come from and go to", sources))
    .addOption(choiceOf("--provider <kind>", "the model that answers", providers))
    .option("--name <pipeline>", 'the pipeline\'s name (default: "patient_visit_enrichment")')
    .addHelpText("after", helpOf(templates))
    .action(async (folder: string | undefined, options: InitCommandOptions) => {
      const source = sources.find((each) => each.name === options.source);
      const provider = providers.find((each) => each.name === options.provider);
      const given = { ...(folder && { folder }), ...(source && { source }), ...(provider && { provider }) };
      const mayAsk = isWatched(terminal) && terminal.stdin.isTTY === true;
      const choices = mayAsk
        ? await askForChoices(given, templates, { input: process.stdin, output: process.stderr })
        : { folder: here, source: sources[0], provider: providers[0], ...given };
      if (choices === undefined) {
        terminal.stderr.write("Cancelled: nothing was written.\n");
        setExitCode(2);
        return;
      }
      if (mayAsk) terminal.stderr.write("\n");
      const project = await makeProject({ ...choices, name: options.name });
      terminal.stdout.write(project.created.map((path) => `${join(choices.folder, path)}\n`).join(""));
      terminal.stderr.write(`\n${nextSteps(choices, project)}`);
    });
}

function choiceOf(flags: string, description: string, templates: readonly [Template, ...Template[]]): Option {
  const names = templates.map(({ name }) => name);
  return new Option(flags, `${description} (default: "${names[0]}")`).choices(names);
}

function helpOf({ sources, providers }: Templates): string {
  return `
In a terminal it asks for the folder, the source and the provider that are not
given. Files that are there are never overwritten.

Example:
  llm-etl init my-project --source ${(sources[1] ?? sources[0]).name} --provider ${providers[0].name}`;
}

/** The steps that are left to take, ready to be typed. */
function nextSteps({ folder, source, provider }: Choices, { changes, missingPackages }: Project): string {
  const needsVariables = source.variables.length + provider.variables.length > 0;
  const steps = [
    ...(folder === here ? [] : [`cd ${inQuotes(folder)}`]),
    ...(missingPackages.length === 0 ? [] : [`npm install   (adds ${missingPackages.join(", ")})`]),
    ...source.steps,
    ...provider.steps,
    ...(needsVariables ? ["copy .env.example to .env, and fill it in"] : []),
    `npx llm-etl run${needsVariables ? " --env-file .env" : ""}`,
  ];
  return [
    ...(changes.length === 0 ? [] : ["Files that were there:", ...changes.map((change) => `  ${change}`), ""]),
    "Next:",
    ...steps.map((step) => `  ${step}`),
    "",
    ...(source.result === undefined ? [] : [`Its rows will be in ${source.result}`, ""]),
  ].join("\n");
}

function inQuotes(folder: string): string {
  return /^[\p{L}\p{N}._/\\:~-]+$/u.test(folder) ? folder : `'${folder.replaceAll("'", "'\\''")}'`;
}
