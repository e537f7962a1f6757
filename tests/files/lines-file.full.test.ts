import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { temporaryFolder } from "../support/temporary-folder.ts";

const folder = temporaryFolder();
const module = pathToFileURL(join(import.meta.dirname, "../../src/files/lines-file.ts")).href;
const hasBash = spawnSync("bash", ["-c", "true"]).status === 0;

test(
  "of a line that the file system cut off nothing is left, and the next one has its room",
  { skip: hasBash ? false : "there is no bash" },
  () => {
    const path = join(folder, "lines", "log.jsonl");
    // A file size limit of 1,024 bytes cuts the second line off.
    const script = `
    const { LinesFile } = await import(${JSON.stringify(module)});
    const file = await LinesFile.open(process.argv[1], { durable: false });
    await file.append("a".repeat(600));
    const said = await file.append("b".repeat(600)).then(() => "nothing", (error) => error.code);
    await file.append("c");
    await file.close();
    process.stdout.write(said);`;
    // NODE_V8_COVERAGE is unset because a coverage file would be cut off as well.
    const shell = `trap '' XFSZ; unset NODE_V8_COVERAGE; ulimit -S -f 1; exec "$0" --input-type=module -e "$1" "$2"`;
    const { stdout, stderr } = spawnSync("bash", ["-c", shell, process.execPath, script, path], {
      encoding: "utf8",
    });
    assert.equal(stdout, "EFBIG", stderr);
    assert.equal(readFileSync(path, "utf8"), `${"a".repeat(600)}\nc\n`);
  },
);

test("lines can go to a pipe, by the system's own link to it", { skip: hasBash ? false : "there is no bash" }, () => {
  const script = `
    const { LinesFile } = await import(${JSON.stringify(module)});
    const file = await LinesFile.open("/dev/stdout", { durable: true });
    await file.append("one");
    await file.close();`;
  const shell = `"$0" --input-type=module -e "$1" | cat`;
  const { stdout, stderr } = spawnSync("bash", ["-c", shell, process.execPath, script], { encoding: "utf8" });
  assert.equal(stdout, "one\n", stderr);
});
