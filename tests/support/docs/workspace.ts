import { spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, globSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { type CodeBlock, root } from "../code-blocks.ts";

/** A folder like a user's, with llm-etl installed in it, and a folder for each page with what its blocks need. */
export interface Workspace {
  readonly folderOf: (page: string) => string;
  /** What the compiler says, one line a problem, by block. */
  readonly compile: () => Promise<Map<CodeBlock, string[]>>;
  /** Imports the modules of a page in their order, in one process, and runs the pipelines that they export. */
  readonly runModules: (page: string) => Promise<Map<CodeBlock, string>>;
  /** Runs a module that holds tests, or a block of commands. */
  readonly runAlone: (block: CodeBlock) => Promise<string | undefined>;
}

const fixtures = join(root, "tests/fixtures/docs");
const runner = fileURLToPath(new URL("run-modules.ts", import.meta.url));

/** Whether it is compiled: what is no excerpt is a whole module. */
export function isModule({ language, comments }: CodeBlock): boolean {
  return language === "ts" && comments.excerptOf === undefined;
}

export function holdsTests({ text: code }: CodeBlock): boolean {
  return code.includes('from "node:test"');
}

/** Writes all that the blocks are, and what tests/fixtures/docs has, below a folder that is empty. */
export function makeWorkspace(folder: string, blocks: readonly CodeBlock[]): Workspace {
  const folderOf = (page: string): string => join(folder, page);
  const pathOf = (block: CodeBlock): string => join(folderOf(block.page), fileName(block));
  installPackage(folder);
  for (const page of new Set(blocks.map((block) => block.page))) copyFixtures(folderOf(page));
  for (const block of blocks) {
    if (!isModule(block) && block.comments.file === undefined) continue;
    mkdirSync(dirname(pathOf(block)), { recursive: true });
    // Empty lines before a module, so that what is said of one of its lines names the line of the page.
    writeFileSync(pathOf(block), (isModule(block) ? "\n".repeat(block.line - 1) : "") + block.text);
  }

  const commands = join(folder, "node_modules/.bin");
  return {
    folderOf,
    compile: async () => {
      const compiler = join(root, "node_modules/typescript/bin/tsc");
      const { output } = await run([compiler, "--pretty", "false"], { workingDirectory: folder, commands });
      const problems = new Map<CodeBlock, string[]>();
      for (const line of output.split("\n").filter((each) => each.includes("error TS"))) {
        const block = blocks.find((each) => line.replaceAll("\\", "/").startsWith(`${each.page}/${fileName(each)}(`));
        if (block === undefined) throw new Error(`the compiler complains of what is no block: ${line}`);
        problems.set(block, [...(problems.get(block) ?? []), line]);
      }
      return problems;
    },
    runModules: async (page) => {
      const modules = blocks.filter(
        (block) => block.page === page && isModule(block) && block.comments.notRun === undefined && !holdsTests(block),
      );
      const problems = new Map<CodeBlock, string>(modules.map((block) => [block, "the process ended before it"]));
      if (modules.length === 0) return problems;
      const onMessage = ({ path, problem }: Message): void => {
        const block = modules.find((each) => pathOf(each) === path);
        if (block === undefined) return;
        if (problem === null) problems.delete(block);
        else problems.set(block, problem);
      };
      const words = [runner, ...modules.map(pathOf)];
      const { output } = await run(words, { workingDirectory: folderOf(page), commands, onMessage });
      return new Map([...problems].map(([block, problem]) => [block, `${problem}\n${output}`]));
    },
    runAlone: async (block) => {
      const workingDirectory = folderOf(block.page);
      const { exitCode, output } = isModule(block)
        ? await run([pathOf(block)], { workingDirectory, commands })
        : await run(["-c", `set -e\n${block.text}`], { workingDirectory, commands, program: "bash" });
      if (exitCode !== 0) return `it ended with ${String(exitCode)}:\n${output}`;
      return isModule(block) && !/\bpass [1-9]/.test(output) ? `no test of it ran:\n${output}` : undefined;
    },
  };
}

function fileName({ line, comments: { file } }: CodeBlock): string {
  return file ?? `line-${line}.ts`;
}

/** As `npm install llm-etl` would, with what the project's own tests have at hand. */
function installPackage(folder: string): void {
  const modules = join(folder, "node_modules");
  const { dependencies, devDependencies } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  for (const name of Object.keys({ ...dependencies, ...devDependencies })) {
    mkdirSync(dirname(join(modules, name)), { recursive: true });
    symlinkSync(join(root, "node_modules", name), join(modules, name), "junction");
  }
  symlinkSync(root, join(modules, "llm-etl"), "junction");
  mkdirSync(join(modules, ".bin"));
  const command = `#!/bin/sh\nexec "${process.execPath}" "${join(root, "dist/cli/main.js")}" "$@"\n`;
  writeFileSync(join(modules, ".bin/llm-etl"), command, { mode: 0o755 });
  writeFileSync(join(folder, "package.json"), JSON.stringify({ type: "module" }));
  const settings = { extends: join(root, "tsconfig.json"), compilerOptions: { paths: {} }, include: ["**/*.ts"] };
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ ...settings, exclude: ["node_modules"] }));
}

/** Each page has files of its own: what one does to a table the other does not see. `x.db.sql` becomes `x.db`. */
function copyFixtures(folder: string): void {
  cpSync(fixtures, folder, { recursive: true });
  for (const script of globSync("**/*.db.sql", { cwd: folder })) {
    const database = new DatabaseSync(join(folder, script.slice(0, -".sql".length)));
    database.exec(readFileSync(join(folder, script), "utf8"));
    database.close();
    rmSync(join(folder, script));
  }
}

interface Message {
  readonly path: string;
  readonly problem: string | null;
}

interface ProcessOptions {
  readonly workingDirectory: string;
  /** The folder of the commands of installed packages. */
  readonly commands: string;
  /** @default Node */
  readonly program?: string;
  readonly onMessage?: (message: Message) => void;
}

/** One process, for a minute at most, in an environment that has no more than a user's. */
async function run(
  words: readonly string[],
  { workingDirectory, commands, program = process.execPath, onMessage }: ProcessOptions,
): Promise<{ readonly exitCode: unknown; readonly output: string }> {
  const path = [commands, dirname(process.execPath), process.env["PATH"] ?? ""];
  const child = spawn(program, words, {
    cwd: workingDirectory,
    env: { PATH: path.join(delimiter), NO_COLOR: "1" },
    stdio: ["ignore", "pipe", "pipe", ...(onMessage === undefined ? [] : ["ipc" as const])],
    timeout: 60_000,
  });
  if (onMessage !== undefined) child.on("message", onMessage);
  const { stdout, stderr } = child;
  if (stdout === null || stderr === null) throw new Error("the process has no output");
  const [out, error, [exitCode, signal]] = await Promise.all([
    text(stdout),
    text(stderr),
    once(child, "close").then((ending: unknown[]) => ending),
  ]);
  return { exitCode: exitCode ?? signal, output: out + error };
}
