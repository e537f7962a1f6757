import { Command, InvalidArgumentError, Option } from "commander";
import { OptionError } from "../../errors/option.ts";
import type { AzureOpenAISimulatorOptions } from "../../testing/simulator/options.ts";
import type { CommandContext, CommandTerminal } from "../command.ts";

interface SimulateCommandOptions {
  readonly port: number;
  readonly host?: string;
  readonly latencyMs?: number;
  readonly latencySigma?: number;
  readonly rpm?: number;
  readonly tpm?: number;
  readonly requestWindowMs?: number;
  readonly fault?: Readonly<Record<string, number>>;
  readonly seed?: number;
  readonly apiKey?: string;
  readonly deployment: string;
  readonly reasoning?: boolean;
  readonly answersFrom?: string;
  readonly textColumn?: string;
  readonly labelColumn?: string;
  readonly set?: Readonly<Record<string, unknown>>;
}

/** Makes `llm-etl simulate`: it runs a simulated Azure OpenAI on this machine, until Ctrl-C. */
export function simulateCommand(name: string, { terminal }: CommandContext): Command {
  return new Command(name)
    .option("--port <port>", "the port, 0 for a free one", number, 8000)
    .option("--host <address>", "the address to listen on", "127.0.0.1")
    .option("--latency-ms <ms>", "answer after this time", number)
    .option("--latency-sigma <number>", "lognormal latency, --latency-ms its median", number)
    .option("--rpm <requests>", "requests a minute, 429 beyond them", number)
    .option("--tpm <tokens>", "tokens a minute, 429 beyond them", number)
    .option("--request-window-ms <ms>", "count requests in windows of this length", number)
    .option("--fault <name=share>", "a fault and its share, 0 to 1 (repeatable)", addFault)
    .option("--seed <number>", "another gives other answers, latencies, faults", number)
    .option("--api-key <key>", "accept only this key; by default any")
    .option("--deployment <name>", "the name to print", "simulated")
    .option("--reasoning", "behave as a reasoning model")
    .option("--answers-from <file.csv>", "answer with its --label-column for --text-column")
    .addOption(new Option("--text-column <name>").hideHelp()) // named above: the help has no room for a line more
    .addOption(new Option("--label-column <name>").hideHelp())
    .option("--set <option=value>", "another option of docs/simulator.md (repeatable)", addSetting)
    .addHelpText("after", "\nExample: llm-etl simulate --latency-ms 200 --rpm 600 --fault serverError=0.02")
    .action(async (given: SimulateCommandOptions) => {
      // Loaded here, because no other command needs it.
      const { startAzureOpenAISimulator } = await import("../../testing/simulator/server.ts");
      const simulator = await startAzureOpenAISimulator(optionsOf(given));
      try {
        const stopped = firstSignal(terminal);
        terminal.stdout.write(`AZURE_OPENAI_ENDPOINT=${simulator.url}\n`);
        terminal.stdout.write(`AZURE_OPENAI_API_KEY=${given.apiKey ?? "simulator"}\n`);
        terminal.stdout.write(`AZURE_OPENAI_DEPLOYMENT=${given.deployment}\n`);
        const { url } = simulator;
        terminal.stderr.write(`Listening on ${url}, statistics at ${url}/stats, the bill at ${url}/bill. Ctrl-C ends it.
`);
        await stopped;
      } finally {
        await simulator.close();
      }
      const { batches } = simulator.batches();
      const figures = { ...simulator.statistics(), bill: simulator.bill(), batches };
      terminal.stdout.write(`${JSON.stringify(figures, undefined, 2)}\n`);
    });
}

function optionsOf(given: SimulateCommandOptions): AzureOpenAISimulatorOptions {
  const {
    port,
    host,
    latencyMs = 0,
    latencySigma,
    rpm,
    tpm,
    requestWindowMs,
    fault = {},
    seed,
    apiKey,
    reasoning,
    set = {},
  } = given;
  return {
    ...set, // startAzureOpenAISimulator checks names and values
    port,
    host,
    seed,
    reasoning,
    faults: fault,
    requestsPerMinute: rpm,
    requestWindowMs,
    tokensPerMinute: tpm,
    latencyMs: latencySigma === undefined ? latencyMs : { median: latencyMs, sigma: latencySigma },
    apiKeys: apiKey === undefined ? undefined : [apiKey],
    answersFrom: answersFromOf(given),
  };
}

function answersFromOf(given: SimulateCommandOptions): AzureOpenAISimulatorOptions["answersFrom"] {
  const { answersFrom: path, textColumn, labelColumn } = given;
  if (path === undefined && textColumn === undefined && labelColumn === undefined) return undefined;
  if (path !== undefined && textColumn !== undefined && labelColumn !== undefined)
    return { path, textColumn, labelColumn };
  throw new OptionError("simulate", "--answers-from", "", {
    expected: "it together with --text-column and --label-column",
    got: Object.entries({ "--answers-from": path, "--text-column": textColumn, "--label-column": labelColumn })
      .flatMap(([name, value]) => (value === undefined ? [] : [name]))
      .join(" and "),
  });
}

/** The options of the simulator that have an option of the command line. */
const ownOptions = new Map([
  ["port", "--port"],
  ["host", "--host"],
  ["seed", "--seed"],
  ["reasoning", "--reasoning"],
  ["faults", "--fault"],
  ["requestsPerMinute", "--rpm"],
  ["requestWindowMs", "--request-window-ms"],
  ["tokensPerMinute", "--tpm"],
  ["latencyMs", "--latency-ms"],
  ["apiKeys", "--api-key"],
  ["answersFrom", "--answers-from"],
]);

/** Resolves on SIGINT or SIGTERM, or when the npx that started the process has ended, and removes its listeners. */
async function firstSignal(terminal: CommandTerminal): Promise<void> {
  await new Promise<void>((resolve) => {
    const onSignal = (): void => {
      unwatch?.();
      terminal.removeListener("SIGINT", onSignal);
      terminal.removeListener("SIGTERM", onSignal);
      resolve();
    };
    const unwatch = terminal.runner?.onEnd(onSignal);
    terminal.on("SIGINT", onSignal);
    terminal.on("SIGTERM", onSignal);
  });
}

function number(text: string): number {
  if (/^\d+(\.\d+)?$/.test(text)) return Number(text);
  throw new InvalidArgumentError("Expected a number from 0 up.");
}

function addFault(text: string, before: Readonly<Record<string, number>> = {}): Record<string, number> {
  const [, name, share] = /^(\w+)=(\d*\.?\d+)$/.exec(text) ?? [];
  if (name === undefined || share === undefined) {
    throw new InvalidArgumentError("Expected name=share, for example serverError=0.02.");
  }
  return { ...before, [name]: Number(share) };
}

/** A value is JSON, or else text: `retryAfter=none`, `rateLimitHeaders=false`, `faultRetryAfterMs={"rateLimit":200}`. */
function addSetting(text: string, before: Readonly<Record<string, unknown>> = {}): Record<string, unknown> {
  const [, name, value] = /^(\w+)=([^]+)$/.exec(text) ?? [];
  if (name === undefined || value === undefined) {
    throw new InvalidArgumentError("Expected option=value, for example limitKind=bucket.");
  }
  const own = ownOptions.get(name);
  if (own !== undefined) throw new InvalidArgumentError(`Set ${name} with ${own}.`);
  return { ...before, [name]: parsed(value) };
}

function parsed(value: string): unknown {
  try {
    return JSON.parse(value);
  } catch {
    return value;
  }
}
