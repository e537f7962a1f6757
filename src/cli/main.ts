#!/usr/bin/env node
// No static import: an older Node would fail on one of them before this file could say why.
const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);

if (major > 22 || (major === 22 && minor >= 19)) {
  let isUnwritable = false;
  const { runCommandLine } = await import("./program.ts");
  const { systemProcesses } = await import("./package-runner.ts");
  // The reader has gone (`| head`), or the terminal was closed: no reason to end a run.
  const codesOfGoneReaders = new Set(["EPIPE", "EIO", "EBADF"]);
  process.stderr.on("error", () => {});
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (isUnwritable || codesOfGoneReaders.has(error.code ?? "")) return;
    isUnwritable = true;
    process.stderr.write(`llm-etl: stdout can't be written (${error.message}): part of the result is lost.\n`);
    process.exitCode = 3;
  });
  const exitCode = await runCommandLine(process.argv.slice(2), Object.assign(process, { processes: systemProcesses }));
  process.exitCode = isUnwritable ? 3 : exitCode;
  // A step or a call that ignores its abort must not keep the process alive. What was said is out, or has a second to be.
  setTimeout(() => process.exit(), 1000).unref();
} else {
  process.stderr.write(
    `llm-etl needs Node.js 22.19 or newer, and this is ${process.versions.node}: install a newer one.\n`,
  );
  process.exitCode = 2;
}
