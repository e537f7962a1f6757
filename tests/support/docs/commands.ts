import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { type CodeBlock, root } from "../code-blocks.ts";
import { commandLine } from "../terminal.ts";

/** A command, word by word. */
type Words = readonly string[];

/**
 * Bash reads the commands and runs none: with no PATH every program is unknown, and the handler writes down what it was
 * called with. Quotes, comments, variables, pipes and heredocs are thus what they are to the reader's shell.
 */
const recorder = `
exec 3>&1 >/dev/null
PATH=/nowhere
cd() { :; }
command_not_found_handle() { printf '%s\\0' "$#" "$@" >&3; }
`;

/** The commands of a block, in its order. */
function commandsOf(script: string, folder: string): { readonly commands: Words[]; readonly problems: string[] } {
  const scratch = join(folder, "recorded"); // what it redirects into a file lands there
  mkdirSync(scratch, { recursive: true });
  const { stdout, stderr } = spawnSync("bash", ["--norc", "-c", `${recorder}\n${script}\nwait`], {
    cwd: scratch,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe"],
    timeout: 10_000,
  });
  const problems = stderr.split("\n").filter((line) => /syntax error|unexpected EOF/.test(line));
  const parts = stdout.split("\0").slice(0, -1);
  const commands: Words[] = [];
  while (parts.length > 0) commands.push(parts.splice(0, 1 + Number(parts[0])).slice(1));
  return { commands, problems };
}

/** What is wrong with the commands of a block: a command, an option, a script or a file that is not there. */
export async function commandProblems(block: CodeBlock, folder: string): Promise<string[]> {
  const { commands, problems } = commandsOf(block.text, folder);
  if (commands.length + problems.length === 0) problems.push("it holds no command");
  for (const words of commands) {
    const problem = await problemWith(words, block, folder);
    if (problem !== undefined) problems.push(`${words.join(" ")}: ${problem}`);
  }
  return problems;
}

async function problemWith(
  [program = "", ...words]: Words,
  block: CodeBlock,
  folder: string,
): Promise<string | undefined> {
  if (program === "npx" || program === "sudo") return await problemWith(withoutOptions(words), block, folder);
  if (program === "npm") return problemWithNpm(words, block);
  if (program === "node") return problemWithNode(words, block, folder);
  return program === "llm-etl" ? await problemWithOwn(words) : undefined;
}

function withoutOptions(words: Words): Words {
  const first = words.findIndex((word) => !word.startsWith("-"));
  return first === -1 ? [] : words.slice(first);
}

/** Scripts are those of the repository, and of a project that the page belongs to. */
function problemWithNpm([command = "", ...words]: Words, { page }: CodeBlock): string | undefined {
  if (!["run", "test", "start"].includes(command)) return undefined;
  const [script = ""] = command === "run" ? withoutOptions(words) : [command];
  const manifests = [root, join(root, dirname(page))].map((folder) => join(folder, "package.json")).filter(existsSync);
  const isThere = manifests.some((path) => Object.hasOwn(JSON.parse(readFileSync(path, "utf8")).scripts ?? {}, script));
  return isThere ? undefined : `package.json has no script "${script}"`;
}

/** Files are those of the repository, of a project that the page belongs to, or of the page itself. */
function problemWithNode(words: Words, { page }: CodeBlock, folder: string): string | undefined {
  if (words.some((word) => /^(-e|--eval|-p|--print|--version)$/.test(word))) return undefined;
  const [file] = withoutOptions(words);
  if (file === undefined) return words.includes("--test") ? undefined : "no file is named";
  const isThere = [root, join(root, dirname(page)), folder].some((each) => existsSync(join(each, file)));
  return isThere ? undefined : `there is no file ${file}`;
}

/** A command as its own help describes it. */
interface Help {
  /** `["sql", "create-table"]` */
  readonly path: Words;
  /** `["<pipeline.ts>"]` */
  readonly operands: Words;
  /** By name, whether a value follows. */
  readonly options: ReadonlyMap<string, boolean>;
}

async function problemWithOwn(words: Words): Promise<string | undefined> {
  const { exitCode, stdout, stderr } = await commandLine([...words, "--help"]); // options are parsed, and nothing is run
  if (exitCode !== 0) return stderr.trim();
  const { path, operands, options } = parseHelp(stdout);
  const given: string[] = [];
  for (let index = 0; index < words.length; index += 1) {
    const word = words[index] ?? "";
    const [name = ""] = word.split("=", 1);
    const isOption = word.startsWith("-") && word !== "-";
    if (isOption && !options.has(name)) return `llm-etl ${path.join(" ")} has no option ${name}`;
    if (!isOption) given.push(word);
    else if (options.get(name) === true && name === word) index += 1;
  }
  if (operands.includes("[command]")) {
    if (given.length > path.length) return `there is no command ${given.join(" ")}`;
    return words.some((word) => options.has(word)) ? undefined : "no command is named";
  }
  const count = given.length - path.length;
  const isTooMany = count > operands.length && !operands.some((operand) => operand.includes("..."));
  const isTooFew = count < operands.filter((operand) => operand.startsWith("<")).length;
  return isTooMany || isTooFew ? `expected llm-etl ${[...path, ...operands].join(" ")}` : undefined;
}

function parseHelp(help: string): Help {
  const words = (/^Usage: llm-etl ?(.*)$/m.exec(help)?.[1] ?? "").split(" ").filter((word) => word !== "[options]");
  const firstOperand = words.findIndex((word) => /^[<[]/.test(word));
  const pathLength = firstOperand === -1 ? words.length : firstOperand;
  const options = [...help.matchAll(/^ {2}(?:(-\w), )?(--[\w-]+)( [<[])?/gm)].flatMap(([, short, long = "", value]) =>
    [short, long].flatMap((name) => (name === undefined ? [] : [[name, value !== undefined] as const])),
  );
  return { path: words.slice(0, pathLength), operands: words.slice(pathLength), options: new Map(options) };
}

/**
 * What is wrong with a command line that prose mentions, or that shows every option in brackets: `llm-etl run [--limit
 * <rows>]`. Its values are words for values, so only names are looked at.
 */
export async function mentionProblem(mention: string): Promise<string | undefined> {
  const words = mention
    .replaceAll(/[[\]…|]/g, " ")
    .split(/ +/)
    .slice(1);
  const firstOther = words.findIndex((word) => !/^[a-z][a-z-]*$/.test(word));
  const named = words.slice(0, firstOther === -1 ? words.length : firstOther);
  const { stdout } = await commandLine([...named, "--help"]);
  const { path, operands, options } = parseHelp(stdout);
  const isCommand = operands.includes("[command]") ? named.length === path.length : path.length > 0;
  if (!isCommand) return `there is no command: ${mention}`;
  const unknown = words.filter((word) => word.startsWith("--")).find((word) => !options.has(word.replace(/=.*/, "")));
  return unknown === undefined ? undefined : `llm-etl ${path.join(" ")} has no option ${unknown}: ${mention}`;
}
