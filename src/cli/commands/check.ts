import { styleText } from "node:util";
import { Command, Option } from "commander";
import type { CheckArea, CheckReport, Finding, FindingStatus, StepPrompt } from "../../check/report.ts";
import { addParameter } from "../arguments.ts";
import { type CommandContext, envFileOption, moduleOr } from "../command.ts";
import { formatCount, formatThings, inOneLine } from "../format.ts";
import { importPipeline } from "../import-module.ts";
import { docsOf, type Output } from "../terminal.ts";

interface CheckCommandOptions {
  readonly param?: Readonly<Record<string, string>>;
  readonly ping?: boolean;
  readonly showPrompt?: boolean;
  readonly json?: boolean;
}

/** Makes `llm-etl check [pipeline.ts]`: it checks everything that a run needs before its first call. */
export function checkCommand(name: string, { terminal, setExitCode, unhandled }: CommandContext): Command {
  return new Command(name)
    .argument("[pipeline.ts]", "the module, TypeScript or JavaScript; by default pipeline.ts in this folder")
    .option("--param <name=value>", "give the source's statement a value, as text (repeat for more)", addParameter)
    .option("--ping", "ask each step's model once, with the first row's prompt: this costs money")
    .option("--show-prompt", "show each step's prompt, with the content of the first row")
    .addOption(new Option("--no-prompts", "the default since 0.2").hideHelp())
    .option("--json", "print one JSON object with everything that was found")
    .addOption(envFileOption())
    .addHelpText("after", "\nNothing is written. Exit code: 0 if a run would start, else 2.")
    .addHelpText("after", "\nExample:\n  llm-etl check pipeline.ts --param department=Cardiology --show-prompt")
    .action(async (path: string | undefined, options: CheckCommandOptions) => {
      const { param: parameters = {}, ping = false, showPrompt: prompts = false, json = false } = options;
      const report = await unhandled.orFirst(async () => {
        const pipeline = await importPipeline(moduleOr(path));
        return await pipeline.check({ parameters, ping, prompts });
      });
      terminal.stdout.write(json ? `${JSON.stringify(report)}\n` : describe(report, terminal.stdout));
      setExitCode(report.wouldRun ? 0 : 2);
    });
}

const headings: Readonly<Record<CheckArea, string>> = {
  environment: "Environment",
  providers: "Providers",
  source: "Source",
  sink: "Sink",
  files: "Files of a run",
  steps: "Steps",
  ping: "Ping",
};

function describe(report: CheckReport, output: Output): string {
  const { findings, prompts } = report;
  const width = Math.max(...findings.map(({ subject }) => subject.length));
  const groups = Object.entries(headings).flatMap(([area, heading]) => {
    const found = findings.filter((finding) => finding.area === area);
    return found.length === 0 ? [] : [[heading, ...found.flatMap((finding) => lines(finding, width, output))]];
  });
  const shown = prompts.flatMap((prompt) => promptLines(prompt));
  return [...groups, ...shown, [summary(report)]].map((group) => `${group.join("\n")}\n`).join("\n");
}

const marks: Readonly<Record<FindingStatus, readonly [mark: string, style: "green" | "yellow" | "red" | "dim"]>> = {
  ok: ["✓", "green"],
  warning: ["!", "yellow"],
  problem: ["✗", "red"],
  "not checked": ["-", "dim"],
};

function lines({ subject, status, message, code }: Finding, width: number, output: Output): string[] {
  const [mark, style] = marks[status];
  const shownMark = output.hasColors?.() === true ? styleText(style, mark, { validateStream: false }) : mark;
  const indent = width + 6;
  const text = `${status === "not checked" ? "not checked: " : ""}${inOneLine(message)}${code === undefined ? "" : ` [${code}]`}`;
  const [first = "", ...rest] = wrap(text, (output.columns ?? Infinity) - indent);
  const docs = code === undefined ? [] : docsOf(code).map((line) => line.trim());
  return [
    `  ${shownMark} ${inOneLine(subject).padEnd(width)}  ${first}`,
    ...[...rest, ...docs].map((line) => " ".repeat(indent) + line),
  ];
}

/** Breaks text at blanks into lines of at most `width` characters; a width below 20 is ignored. */
function wrap(text: string, width: number): string[] {
  if (width < 20 || text.length <= width) return [text];
  const found: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && line.length + 1 + word.length > width) {
      found.push(line);
      line = word;
    } else {
      line = line === "" ? word : `${line} ${word}`;
    }
  }
  return [...found, line];
}

function promptLines({ step, provider, messages, estimatedInputTokens, maxOutputTokens }: StepPrompt): string[][] {
  if (messages === undefined) return [];
  const size = `about ${formatCount(estimatedInputTokens)} input tokens, at most ${formatCount(maxOutputTokens)} output tokens`;
  const parts = messages.flatMap(({ role, content }) => [
    `  ${role}:`,
    // A row's text may break lines, but must not control the terminal.
    ...content.split("\n").map((line) => `    ${inOneLine(line)}`.trimEnd()),
  ]);
  return [[`Prompt of ${inOneLine(step)} to ${inOneLine(provider)}, for the first row: ${size}`, ...parts]];
}

function summary({ pipeline, wouldRun, findings }: CheckReport): string {
  const countOf = (wanted: FindingStatus): number => findings.filter(({ status }) => status === wanted).length;
  const counts = [formatThings(countOf("problem"), "problem"), formatThings(countOf("warning"), "warning")].join(", ");
  return `${inOneLine(pipeline)}: a run would ${wouldRun ? "" : "not "}start (${counts}).`;
}
