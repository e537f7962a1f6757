// Full lane: a process of its own shows what is loaded.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const source = fileURLToPath(new URL("../../src/sources/csv.ts", import.meta.url));

test("iconv-lite is loaded only where an encoding asks for it", () => {
  for (const [encoding, isLoaded] of [
    ["utf-8", false],
    ["utf-16le", false],
    ["utf-16be", false],
    ["windows-1252", false],
    ["gbk", true],
  ] as const) {
    const script = `
      import { createRequire } from "node:module";
      const { CSVSource } = await import(${JSON.stringify(source)});
      new CSVSource({ filePath: "a.csv", primaryKeyColumn: "id", encoding: "${encoding}" });
      const loaded = Object.keys(createRequire(import.meta.url).cache);
      console.log(loaded.some((path) => path.includes("iconv-lite")));
    `;
    const { stdout, stderr } = spawnSync(process.execPath, ["--input-type=module", "-e", script], { encoding: "utf8" });
    assert.equal(stdout.trim(), String(isLoaded), `${encoding}: ${stderr}`);
  }
});
