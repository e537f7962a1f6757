import { Readable } from "node:stream";
import { type TestEvent, spec } from "node:test/reporters";

/** The spec reporter without what passed: failures, then the runner's closing lines, with the CPU time of this process. */
export default async function* quickReporter(source: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  yield* Readable.from(withoutPasses(source)).compose<Readable>(spec());
}

async function* withoutPasses(source: AsyncIterable<TestEvent>): AsyncGenerator<TestEvent> {
  for await (const event of source) {
    const isClosing = event.type === "test:diagnostic" && event.data.nesting === 0;
    if (isClosing && event.data.message.startsWith("duration_ms ")) yield cpuSeconds();
    if (event.type === "test:fail" || event.type === "test:summary" || isClosing) yield event;
  }
}

function cpuSeconds(): TestEvent {
  const { user, system } = process.cpuUsage();
  const message = `cpu_s ${((user + system) / 1e6).toFixed(1)}`;
  return { type: "test:diagnostic", data: { nesting: 0, message, level: "info" } };
}
