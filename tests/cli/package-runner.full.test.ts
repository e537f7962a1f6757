import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { temporaryFolder } from "../support/temporary-folder.ts";

const pathOf = (relative: string): string => fileURLToPath(new URL(relative, import.meta.url));
const folder = temporaryFolder();
const skip =
  (process.platform === "win32" || spawnSync("npx", ["--version"]).status !== 0) && "there is no npx, or no signal";

/** A project whose llm-etl is that of this checkout. */
function project(): string {
  const place = mkdtempSync(join(folder, "project "));
  const bin = join(place, "node_modules", ".bin");
  mkdirSync(bin, { recursive: true });
  const words = `'${process.execPath}' '${pathOf("../../src/cli/main.ts")}'`;
  writeFileSync(join(bin, "llm-etl"), `#!/bin/sh\nexec ${words} "$@"\n`);
  chmodSync(join(bin, "llm-etl"), 0o755);
  const etl = `llm-etl run '${pathOf("../fixtures/pipelines/waits.ts")}'`;
  writeFileSync(
    join(place, "package.json"),
    JSON.stringify({ name: "p", version: "1.0.0", scripts: { etl, nightly: "npm run etl" } }),
  );
  return place;
}

for (const [program, ...words] of [
  ["npx", "--no-install", "llm-etl", "run", pathOf("../fixtures/pipelines/waits.ts")],
  ["npm", "run", "etl"],
  ["npm", "run", "nightly"],
] as const) {
  for (const signal of ["SIGTERM", "SIGKILL"] as const) {
    test(
      `${signal} to ${program} (${words.length > 2 ? "exec" : words.join(" ")}) stops the run that it started, which reports`,
      { skip },
      async () => {
        const env = { ...process.env, NODE_V8_COVERAGE: "" }; // a coverage file of what is left behind would be cut off
        const child = spawn(program, words, { cwd: project(), env, stdio: ["ignore", "pipe", "pipe"] });
        let stderr = "";
        for await (const text of child.stderr.setEncoding("utf8")) {
          if (!stderr.includes("waits, run ") && `${stderr}${text}`.includes("waits, run ")) child.kill(signal);
          stderr += text;
        } // it ends when the last process that writes to it has ended
        assert.match(stderr, /npm has ended: stopping\./);
        assert.match(stderr, /aborted: llm-etl: .* \[ABORTED\]/);
      },
    );
  }
}
