import assert from "node:assert/strict";
import { EventEmitter } from "node:events";
import { globSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { afterEach, test } from "node:test";
import { fileURLToPath } from "node:url";
import { runCommandLine } from "../../src/cli/program.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { commandLine, type Outcome, testTerminal } from "../support/terminal.ts";

const pathOf = (relative: string): string => fileURLToPath(new URL(relative, import.meta.url));
const fixture = (name: string): string => pathOf(`../fixtures/pipelines/${name}.ts`);
const commandFiles = globSync("*.ts", { cwd: pathOf("../../src/cli/commands") }).map((name) => basename(name, ".ts"));
const folder = temporaryFolder();
const home = process.cwd();
afterEach(() => process.chdir(home));

/** A new working directory, until the test has ended. */
function newFolder(files: Readonly<Record<string, string>> = {}): string {
  const place = mkdtempSync(join(folder, "here "));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(place, name), text);
  process.chdir(place);
  return process.cwd();
}

test("--version is the package's", async () => {
  const { version } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8"));
  assert.deepEqual(await commandLine(["--version"]), { exitCode: 0, stdout: `${version}\n`, stderr: "" });
});

test("--help lists every command with what it does, on stdout", async () => {
  const { exitCode, stdout, stderr } = await commandLine(["--help"]);
  assert.deepEqual([exitCode, stderr], [0, ""]);
  const listed = [...stdout.matchAll(/^ {2}([a-z]+) \[options\] +\w.*$/gm)].map(([, name]) => name);
  assert.deepEqual(listed.toSorted(), commandFiles.toSorted());
});

test("no command at all: the help, on stderr, exit code 2", async () => {
  const { exitCode, stdout, stderr } = await commandLine([]);
  assert.deepEqual([exitCode, stdout], [2, ""]);
  assert.match(stderr, /^Usage: llm-etl /);
});

/** The program's commands, and theirs, by the words that call them. */
const paths = [[], ...commandFiles.map((name) => [name]), ["sql", "create-table"], ["sql", "create-journal"]];

for (const path of paths) {
  const name = ["llm-etl", ...path].join(" ");
  test(`the help of ${name} fits 80 x 24 and has an example that its command takes`, async () => {
    const { exitCode, stdout } = await commandLine([...path, "--help"]);
    assert.equal(exitCode, 0);
    assert.match(stdout, new RegExp(`^Usage: ${name} `));
    const lines = stdout.trimEnd().split("\n");
    assert.ok(lines.length <= 24, `${lines.length} lines:\n${stdout}`);
    for (const line of lines) assert.ok(line.length <= 80, `${line.length} columns: ${line}`);
    const [, example = ""] = /^Example:\s+llm-etl (.+)$/m.exec(stdout) ?? assert.fail(`no example:\n${stdout}`);
    const words = example.split(" ");
    assert.deepEqual(words.slice(0, path.length), path);
    newFolder();
    const { stderr } = await tried(words[0] === "simulate" ? [...words, "--port", "0"] : words);
    assert.doesNotMatch(stderr, /^error:/, "commander has rejected a command, an option or a value");
  });
}

/** Runs a command line in a folder with no files in it; what would go on for ever is ended. */
async function tried(words: readonly string[]): Promise<Outcome> {
  const signals = new EventEmitter();
  const onStderr = (text: string): boolean => text.startsWith("Listening") && signals.emit("SIGINT");
  const terminal = testTerminal({ signals, onStderr });
  return { exitCode: await runCommandLine(words, terminal), ...terminal.written };
}

test("help followed by a command is the command's --help", async () => {
  for (const name of commandFiles) {
    assert.deepEqual(await commandLine(["help", name]), await commandLine([name, "--help"]), name);
  }
});

test("a typo in a command or an option is answered with a suggestion, on stderr, exit code 2", async () => {
  const cases: [string[], string][] = [
    [["rnu", "pipeline.ts"], "run"],
    [["repaly", "x.jsonl"], "replay"],
    [["sql", "creat-table", "x.ts"], "create-table"],
    [["run", "pipeline.ts", "--limti", "3"], "--limit"],
    [["run", "--concurency=3"], "--concurrency"],
    [["replay", "x.jsonl", "--pipeline", "x.ts", "--provder", "y.ts"], "--provider"],
    [["runs", "--jornal", "x.db"], "--journal"],
    [["simulate", "--prot", "1"], "--port"],
    [["run", "--debgu"], "--debug"],
    [["--debgu", "run"], "--debug"],
  ];
  for (const [words, suggestion] of cases) {
    const { exitCode, stdout, stderr } = await commandLine(words);
    assert.deepEqual([exitCode, stdout], [2, ""], words.join(" "));
    assert.match(stderr, new RegExp(`^error: unknown (command|option) .*\n\\(Did you mean ${suggestion}\\?\\)\n$`));
  }
});

test("a module where a command should be is answered with run, options or not; a file that is none is not", async () => {
  newFolder({ "pipeline.ts": "", "my.mjs": "", "data.csv": "" });
  for (const words of [["pipeline.ts"], ["my.mjs", "--limit", "3"], ["--debug", "pipeline.ts"]]) {
    const { exitCode, stdout, stderr } = await commandLine(words);
    assert.deepEqual([exitCode, stdout], [2, ""]);
    assert.match(
      stderr,
      new RegExp(`\n\\(Did you mean llm-etl run ${words.find((word) => word.includes("."))}\\?\\)\n$`),
    );
  }
  for (const words of [["data.csv"], ["other.ts"], ["run", "pipeline.ts", "--nothing"]]) {
    assert.doesNotMatch((await commandLine(words)).stderr, /llm-etl run /, words.join(" "));
  }
});

test("--debug shows the stack, before the command and behind it; without it there is none", async () => {
  const words = ["run", fixture("wrong-option")];
  for (const given of [
    ["--debug", ...words],
    ["run", "--debug", fixture("wrong-option")],
    [...words, "--debug"],
  ]) {
    assert.match((await commandLine(given)).stderr, /\n {4}at /, given.join(" "));
  }
  assert.doesNotMatch((await commandLine(words)).stderr, /\n {4}at /);
  const sql = await commandLine(["sql", "create-table", fixture("wrong-option"), "--debug"]);
  assert.match(sql.stderr, /\n {4}at /);
});

/** A module whose error is of a class that is named by the variables: its message would not be shown. */
const saysVariables = `const { LLM_ETL_ONE: one, LLM_ETL_TWO: two } = process.env;
throw Object.assign(new Error("no"), { name: "One_" + one + "_two_" + two + "_Error" });`;

test("--env-file is read before the module; a variable that is there keeps its value, and the first file wins", async (t) => {
  t.after(() => ["LLM_ETL_ONE", "LLM_ETL_TWO"].forEach((name) => delete process.env[name]));
  newFolder({
    "settings.env": "LLM_ETL_ONE=file\nLLM_ETL_TWO=file\n",
    "more.env": "LLM_ETL_ONE=more\nLLM_ETL_TWO=more\n",
    "first.mjs": saysVariables,
    "second.mjs": saysVariables,
  });
  const options = ["--env-file", "settings.env", "--env-file", "more.env"];
  const first = await commandLine(["run", "first.mjs", ...options]);
  assert.match(first.stderr, /threw One_file_two_file_Error at first/);
  process.env["LLM_ETL_TWO"] = "shell";
  const second = await commandLine(["replay", "x.jsonl", "--pipeline", "second.mjs", ...options]);
  assert.match(second.stderr, /threw One_file_two_shell_Error at second/);
});

test("a file of variables that is not there is named, and nothing is run", async () => {
  newFolder({ "pipeline.mjs": saysVariables });
  const { exitCode, stdout, stderr } = await commandLine(["run", "--env-file", "setings.env"]);
  assert.deepEqual([exitCode, stdout], [2, ""]);
  assert.match(stderr, /^llm-etl: run: option "--env-file": .*\bsetings\.env\b.*ENOENT.* \[INVALID_OPTION\]\n/);
});

/** A pipeline that lacks a setting, of its provider or of its source. */
function lacking(source: string, provider: string): string {
  const from = (path: string): string => JSON.stringify(new URL(`../../src/${path}`, import.meta.url).href);
  return `
    import { Pipeline } from ${from("index.ts")};
    import { AzureOpenAIProvider } from ${from("llm/providers/azure-openai.ts")};
    import { MockProvider } from ${from("llm/providers/mock.ts")};
    import { ClassifierStep } from ${from("steps/classifier.ts")};
    import { SQLServerSource } from ${from("sources/sql-server.ts")};
    import { MemorySink } from ${from("testing/memory-sink.ts")};
    import { MemorySource } from ${from("testing/memory-source.ts")};
    const options = { name: "kind", taxonomy: [{ name: "Only", definition: "all" }], outputKey: "kind" };
    export default new Pipeline({ name: "lacking", source: ${source}, llmProvider: ${provider}, journal: "off", payloadLog: "off" })
      .step(new ClassifierStep({ ...options, inputMap: { text: (s) => s.raw.id } }))
      .to(new MemorySink({ columnMap: { id: (s) => s.pk } }));`;
}

test("a provider or a source that lacks a setting names its variable, and mentions --env-file", async (t) => {
  for (const name of ["AZURE_OPENAI_ENDPOINT", "SQL_SERVER_CONN"]) {
    const { [name]: before } = process.env;
    delete process.env[name];
    if (before !== undefined) t.after(() => (process.env[name] = before));
  }
  const source = 'new MemorySource({ rows: [{ id: "a" }], primaryKeyColumn: "id" })';
  const place = newFolder({
    "provider.mjs": lacking(source, "new AzureOpenAIProvider()"),
    "source.mjs": lacking(
      'new SQLServerSource({ sql: "SELECT id FROM t", primaryKeyColumn: "id" })',
      "new MockProvider()",
    ),
  });
  const run = async (module: string): Promise<string> => {
    const { exitCode, stderr } = await commandLine(["run", module]);
    assert.equal(exitCode, 2, stderr);
    return stderr;
  };
  const advice = /#setting_missing\n {2}.*--env-file \.env.*\n$/;
  for (const [module, variable] of [
    ["provider.mjs", "AZURE_OPENAI_ENDPOINT"],
    ["source.mjs", "SQL_SERVER_CONN"],
  ] as const) {
    const stderr = await run(module);
    assert.ok(stderr.includes(variable), stderr);
    assert.match(stderr, advice);
  }
  const without = await run("provider.mjs");
  writeFileSync(join(place, ".env"), "");
  const withFile = await run("provider.mjs");
  assert.match(withFile, advice);
  assert.notEqual(withFile, without, "a .env that is there is mentioned");
});
