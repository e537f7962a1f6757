#!/usr/bin/env node
// No static import: on an older Node one of them would fail before this file could say why.
const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);

if (major > 22 || (major === 22 && minor >= 19)) {
  const { runCommandLine } = await import("./program.ts");
  // Whoever read along has gone (`| head`), or the terminal was closed: no reason to end a run.
  for (const stream of [process.stdout, process.stderr]) stream.on("error", () => {});
  process.exitCode = await runCommandLine(process.argv.slice(2), process);
  // A step or a call that does not heed its abort must not keep the process after its report: time enough to print it.
  setTimeout(() => process.exit(), 5000).unref();
} else {
  process.stderr.write(
    `llm-etl needs Node.js 22.19 or newer, and this is ${process.versions.node}: install a newer one.\n`,
  );
  process.exitCode = 2;
}
