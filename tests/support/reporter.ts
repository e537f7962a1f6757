import { globSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { Readable } from "node:stream";
import { type TestEvent, spec } from "node:test/reporters";

const wantedPercent = 90;

/**
 * The spec reporter, with the coverage of `src/` in a few lines before the runner's closing lines instead of a table
 * of every file after them. A folder of `src/` with fewer than 90 % of its lines covered fails the run.
 */
export default async function* reporter(source: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  yield* Readable.from(coverageFirst(source)).compose<Readable>(spec());
}

async function* coverageFirst(source: AsyncIterable<TestEvent>): AsyncGenerator<TestEvent> {
  const closing: TestEvent[] = [];
  for await (const event of source) {
    if (event.type === "test:diagnostic" && event.data.nesting === 0) closing.push(event);
    else if (event.type === "test:coverage") yield* coverageLines(event);
    else yield event;
  }
  yield* closing;
}

interface Lines {
  readonly folder: string;
  readonly total: number;
  readonly covered: number;
}

function* coverageLines(event: Extract<TestEvent, { type: "test:coverage" }>): Generator<TestEvent> {
  const { files, workingDirectory } = event.data.summary;
  const loaded = new Map(files.map((file) => [relative(workingDirectory, file.path).replaceAll("\\", "/"), file]));
  const paths = globSync("src/**/*.ts", { cwd: workingDirectory }).map((path) => path.replaceAll("\\", "/"));
  const ofFiles = paths.map((path): Lines => {
    const file = loaded.get(path);
    if (file !== undefined) {
      return { folder: dirname(path), total: file.totalLineCount, covered: file.coveredLineCount };
    }
    return { folder: dirname(path), total: codeLines(readFileSync(join(workingDirectory, path), "utf8")), covered: 0 };
  });
  const folders = [...Map.groupBy(ofFiles, ({ folder }) => folder)];
  const low = folders
    .map(([folder, lines]) => ({ folder, percent: percentOf(lines) }))
    .filter(({ percent }) => percent < wantedPercent)
    .map(({ folder, percent }) => `${folder} ${percent.toFixed(1)} %`);
  const total = ofFiles.reduce((sum, lines) => sum + lines.total, 0);
  yield line(`coverage of src/: ${percentOf(ofFiles).toFixed(2)} % of ${total} lines, ${folders.length} folders`);
  if (low.length === 0) return;
  yield line(`coverage failed: fewer than ${wantedPercent} % of the lines are covered in ${low.join(", ")}`);
  process.exitCode = 1;
}

/** The lines of a file that no test has loaded; none if it holds types only, which are not there when it runs. */
function codeLines(text: string): number {
  const hasCode = /^(?:export )?(?:default )?(?:async )?(?:const|let|function|class) /m.test(text);
  return hasCode ? text.trimEnd().split("\n").length : 0;
}

function percentOf(lines: readonly Lines[]): number {
  const total = lines.reduce((sum, each) => sum + each.total, 0);
  return total === 0 ? 100 : (100 * lines.reduce((sum, each) => sum + each.covered, 0)) / total;
}

function line(message: string): TestEvent {
  return { type: "test:diagnostic", data: { nesting: 0, message, level: "info" } };
}
