import { Readable } from "node:stream";
import { type TestEvent, spec } from "node:test/reporters";

const wantedPercent = 90;

/**
 * The spec reporter, with the coverage of `src/` in a few lines before the runner's closing lines instead of a table
 * of every file after them.
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

function* coverageLines(event: Extract<TestEvent, { type: "test:coverage" }>): Generator<TestEvent> {
  const { totals, files, workingDirectory } = event.data.summary;
  const low = files
    .filter(({ coveredLinePercent }) => coveredLinePercent < wantedPercent)
    .map(
      ({ path, coveredLinePercent }) =>
        `${path.replace(`${workingDirectory}/`, "")} ${coveredLinePercent.toFixed(1)} %`,
    );
  const lines = [
    `coverage of src/: ${totals.coveredLinePercent.toFixed(2)} % of ${totals.totalLineCount} lines, ${files.length} files`,
    ...(low.length === 0 ? [] : [`below ${wantedPercent} %: ${low.join(", ")}`]),
  ];
  for (const message of lines) {
    yield { type: "test:diagnostic", data: { nesting: 0, message, level: "info" } };
  }
}
