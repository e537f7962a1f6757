import assert from "node:assert/strict";
import { existsSync, globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { before, suite, test } from "node:test";
import { type CodeBlock, codeBlocks, excerptProblems, root } from "./support/code-blocks.ts";
import { commandProblems, mentionProblem } from "./support/docs/commands.ts";
import { sqlProblems } from "./support/docs/sql.ts";
import { holdsTests, isModule, makeWorkspace, type Workspace } from "./support/docs/workspace.ts";
import { temporaryFolder } from "./support/temporary-folder.ts";

const folder = temporaryFolder();
const pages = globSync(
  ["{README,CONTRIBUTING}.md", "{docs,docs/guides,docs/recipes}/*.md", "{examples,templates}/**/README.md"],
  {
    cwd: root,
  },
)
  .map((page) => page.replaceAll("\\", "/"))
  .toSorted();
const markdownOf = (page: string): string => readFileSync(join(root, page), "utf8");
const blocksOf = new Map(pages.map((page) => [page, codeBlocks(page, markdownOf(page))]));

/** What a page must not hold, each as a page of its own, and what is said of it. */
const refusals: readonly { readonly name: string; readonly markdown: string; readonly says: RegExp }[] = [
  {
    name: "an import that the package does not have",
    markdown: '```ts\nimport { NoStep } from "llm-etl";\nconsole.log(NoStep);\n```',
    says: /^refused\/0\.md\/line-2\.ts\(2,10\): error TS2724: .*NoStep/,
  },
  {
    name: "an option that a class does not have",
    markdown: '```ts\nimport { MockProvider } from "llm-etl/llm/providers/mock";\n\nnew MockProvider({ sed: 1 });\n```',
    says: /^refused\/1\.md\/line-2\.ts\(4,20\): error TS2561.*'sed'/,
  },
  { name: "a module that throws", markdown: '```ts\nthrow new Error("never");\n```', says: /never[^]*line-2\.ts:2:7/ },
  {
    name: "a pipeline that writes nothing",
    markdown:
      "```ts\nexport default {\n  describeTarget: {},\n" +
      '  run: async () => ({ status: "completed", successCount: 0, failuresByCode: { STALLED: 2 }, error: null }),\n};\n```',
    says: /^its run is completed, with 0 rows written: \{"STALLED":2\}/,
  },
  {
    name: "a test that fails",
    markdown: '```ts\nimport { test } from "node:test";\n\ntest("never", () => Promise.reject(new Error("no")));\n```',
    says: /^it ended with 1/,
  },
  {
    name: "a module that has node:test, and no test",
    markdown: '```ts\nimport { test } from "node:test";\n\nvoid test;\n```',
    says: /^no test of it ran/,
  },
  { name: "a command that is not there", markdown: "```sh\nllm-etl rum pipeline.ts\n```", says: /no command rum/ },
  {
    name: "an option that a command does not have",
    markdown: "```sh\ncd x && FOO=1 npx llm-etl run pipeline.ts --limits 5 # or more\n```",
    says: /llm-etl run has no option --limits/,
  },
  { name: "a value that an option does not take", markdown: "```sh\nllm-etl run x.ts --limit few\n```", says: /few/ },
  { name: "an operand too many", markdown: "```sh\nllm-etl show one two\n```", says: /expected llm-etl show \[run\]/ },
  { name: "a script that is not there", markdown: "```sh\nnpm run demos\n```", says: /no script "demos"/ },
  { name: "a file that is not there", markdown: "```sh\nnpx node benchmarks/x.ts\n```", says: /benchmarks\/x\.ts/ },
  { name: "commands with an open quote", markdown: '```sh\necho "\n```', says: /unexpected EOF/ },
  {
    name: "a command that is run and fails",
    markdown: "<!-- run -->\n\n```sh\nllm-etl show 12345678\ntrue\n```",
    says: /^it ended with 2/,
  },
  {
    name: "an excerpt in another order",
    markdown:
      "<!-- excerpt of examples/patient_classification/run.ts -->\n```ts\nconst result = await pipeline.run();\n…\n" +
      'import pipeline from "./pipeline.ts";\n```',
    says: /does not hold, here and in this order:\nimport pipeline/,
  },
  { name: "a comment with a slip of the pen", markdown: "<!-- not-run: x -->\n```json\n{}\n```", says: /not-run: x/ },
  { name: "JSON that is none", markdown: "```json\n{ a: 1 }\n```", says: /^line 2: / },
  { name: "a line of JSON that is none", markdown: "```jsonl\n{}\n{\n```", says: /^line 3: / },
  { name: "SQL that is none", markdown: "```sql\nSELECT 1;\nSELECTED 2 FROM (;\n```", says: /^T-SQL: / },
  { name: "a block that does not say what it holds", markdown: "```\nnpm run demo\n```", says: /names no language/ },
  { name: "a second name for a language", markdown: "```bash\nnpm run demo\n```", says: /write sh/ },
];
const refusedBlocks = refusals.map(({ markdown }, index) => codeBlocks(`refused/${index}.md`, markdown));

const otherNames: Readonly<Record<string, string>> = {
  bash: "sh",
  console: "sh",
  javascript: "ts",
  js: "ts",
  jsonc: "json",
  shell: "sh",
  tsql: "sql",
  typescript: "ts",
};

let workspace: Workspace;
let compiled: ReadonlyMap<CodeBlock, readonly string[]>;

before(async () => {
  assert.ok(
    existsSync(join(root, "dist/index.js")),
    "dist/ is not there, and the pages import it: run `npm run build`",
  );
  workspace = makeWorkspace(folder, [...blocksOf.values(), ...refusedBlocks].flat());
  compiled = await workspace.compile();
});

for (const [page, blocks] of blocksOf) {
  suite(page, () => {
    let ran: ReadonlyMap<CodeBlock, string>;
    before(async () => {
      ran = await workspace.runModules(page);
    });

    for (const block of blocks) {
      test(`line ${block.line}, ${block.language}: ${promiseOf(block)}`, async () => {
        assert.deepEqual(await problemsOf(block, ran), []);
      });
    }

    test("mentions only commands and options of llm-etl that exist", async () => {
      const prose = markdownOf(page).matchAll(/`(llm-etl [a-z][^`]*)`/g);
      const shown = blocks.filter(({ language }) => language === "text").map(({ text }) => text);
      const lines = shown.flatMap((text) => text.split("\n")).filter((line) => /^llm-etl [a-z]/.test(line));
      const problems = await Promise.all(
        [...prose]
          .map(([, mention = ""]) => mention)
          .concat(lines)
          .map(mentionProblem),
      );
      assert.deepEqual(
        problems.filter((problem) => problem !== undefined),
        [],
      );
    });
  });
}

test("pages and blocks of each checked kind were found", () => {
  const languages = new Set([...blocksOf.values()].flat().map(({ language }) => language));
  for (const page of ["README.md", "docs/journal.md", "examples/patient_classification/README.md"])
    assert.ok(blocksOf.has(page), page);
  for (const language of ["ts", "sh", "sql"]) assert.ok(languages.has(language), language);
});

suite("a page is refused for", () => {
  for (const [index, { name, says }] of refusals.entries()) {
    test(name, async () => {
      const [block = assert.fail("it holds no block")] = refusedBlocks[index] ?? [];
      const [problem = "nothing"] = await problemsOf(block, await workspace.runModules(block.page));
      assert.match(problem, says);
    });
  }

  test("a command that it only mentions", async () => {
    assert.equal(await mentionProblem("llm-etl run <pipeline.ts> [--limit <rows>]… [--no-cache]"), undefined);
    assert.equal(await mentionProblem("llm-etl sql create-table"), undefined);
    assert.match((await mentionProblem("llm-etl run [--limits <rows>]")) ?? "", /no option --limits/);
    assert.match((await mentionProblem("llm-etl rum")) ?? "", /no command/);
    assert.match((await mentionProblem("llm-etl sql drop-table x")) ?? "", /no command/);
  });
});

/** What is held of a block, for the name of its test. */
function promiseOf(block: CodeBlock): string {
  const { language, comments } = block;
  if (comments.excerptOf !== undefined) return `stands in ${comments.excerptOf}`;
  const notRun = comments.notRun === undefined ? "" : `; not run: ${comments.notRun}`;
  if (isModule(block))
    return `compiles${notRun === "" ? ` and ${holdsTests(block) ? "its tests pass" : "runs"}` : notRun}`;
  if (language === "sh") return `its commands exist${comments.run === true ? " and run" : notRun}`;
  if (language === "" || otherNames[language] !== undefined) return "names its language as the other blocks do";
  return ["json", "jsonl", "sql"].includes(language) ? "parses" : "is free text";
}

async function problemsOf(block: CodeBlock, ran: ReadonlyMap<CodeBlock, string>): Promise<readonly string[]> {
  const { page, language, text, comments } = block;
  if (comments.unknown !== undefined) return [`the comment "${comments.unknown}" means nothing: see CONTRIBUTING.md`];
  if (comments.excerptOf !== undefined) return excerptProblems(block);
  if (language === "") return ["the block names no language: write text if it holds no code"];
  if (otherNames[language] !== undefined) return [`the block is of ${language}: write ${otherNames[language]}`];
  if (language === "json") return jsonProblems([text.trimEnd()], block);
  if (language === "jsonl") return jsonProblems(text.trimEnd().split("\n"), block);
  if (language === "sql") return sqlProblems(text);
  if (language === "sh") {
    const problems = await commandProblems(block, workspace.folderOf(page));
    return problems.length > 0 || comments.run !== true ? problems : await problemsAlone(block);
  }
  if (!isModule(block)) return [];
  const problems = compiled.get(block) ?? [];
  if (problems.length > 0 || comments.notRun !== undefined) return problems;
  if (holdsTests(block)) return await problemsAlone(block);
  return [ran.get(block)].filter((problem) => problem !== undefined);
}

async function problemsAlone(block: CodeBlock): Promise<readonly string[]> {
  return [await workspace.runAlone(block)].filter((problem) => problem !== undefined);
}

function jsonProblems(values: readonly string[], { line }: CodeBlock): string[] {
  return values.flatMap((value, index) => {
    try {
      JSON.parse(value);
      return [];
    } catch (error) {
      return [`line ${line + index}: ${error instanceof Error ? error.message : String(error)}`];
    }
  });
}
