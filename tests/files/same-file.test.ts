import assert from "node:assert/strict";
import { linkSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { test } from "node:test";
import { fileIdentity } from "../../src/files/same-file.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const folder = temporaryFolder();
const at = (...names: readonly string[]): string => join(folder, ...names);
mkdirSync(at("data"));
symlinkSync("data", at("link"));
writeFileSync(at("data", "a.csv"), "a");
writeFileSync(at("data", "b.csv"), "a");

test("a file is the same by a link, a hard link, a relative path and a folder that is a link", () => {
  symlinkSync(join("data", "a.csv"), at("soft.csv"));
  linkSync(at("data", "a.csv"), at("hard.csv"));
  const identity = fileIdentity(at("data", "a.csv"));
  for (const path of [at("soft.csv"), at("hard.csv"), at("link", "a.csv"), relative(".", at("data", "a.csv"))]) {
    assert.equal(fileIdentity(path), identity, path);
  }
  assert.notEqual(fileIdentity(at("data", "b.csv")), identity);
});

test("so is one that does not exist yet", () => {
  symlinkSync(at("data", "new", "x"), at("to-new"));
  const identity = fileIdentity(at("data", "new", "x"));
  assert.equal(fileIdentity(at("link", "new", "x")), identity);
  assert.equal(fileIdentity(at("to-new")), identity);
  assert.notEqual(fileIdentity(at("data", "new", "y")), identity);
  assert.notEqual(fileIdentity(at("new", "x")), identity);
});

test("a device may be used by many", { skip: process.platform === "win32" }, () => {
  assert.equal(fileIdentity("/dev/null"), undefined);
});
