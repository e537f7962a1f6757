import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { checkEnvironment, checkNode, type PartWithRequirements } from "../../src/check/environment.ts";
import { type Finding, Findings } from "../../src/check/report.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const { signal } = new AbortController();

function look(work: (findings: Findings) => void): readonly Finding[] {
  const findings = new Findings({ rowErrorStatus: "problem", signal });
  work(findings);
  return findings.list;
}

/** What is found besides the version of Node. */
function needs(...parts: PartWithRequirements[]): readonly Finding[] {
  return look((findings) => checkEnvironment(findings, parts)).slice(1);
}

function setVariable(t: TestContext, name: string, value: string): void {
  process.env[name] = value;
  t.after(() => delete process.env[name]);
}

test("Node is told with its version, and a version that is too old as a problem", () => {
  const [node] = look((findings) => checkEnvironment(findings, []));
  assert.deepEqual(node, { area: "environment", subject: "Node", status: "ok", message: process.versions.node });
  for (const version of ["22.19.0", "23.0.0", "24.1.0"]) {
    assert.equal(look((findings) => checkNode(findings, version))[0]?.status, "ok", version);
  }
  for (const version of ["22.18.9", "20.20.0"]) {
    const [found] = look((findings) => checkNode(findings, version));
    assert.equal(found?.status, "problem");
    assert.match(found.message, /22\.19 is the oldest/);
  }
});

test("a package that is installed is told with its version, one that is not with how to get it", () => {
  const [driver, missing, ...others] = needs(
    { name: "one", requirements: { packages: ["mssql", "no-such-package-of-llm-etl"] } },
    { name: "two", requirements: { packages: ["mssql", "no-such-package-of-llm-etl"] } },
  );
  assert.equal(driver?.subject, "package mssql");
  assert.match(driver?.message ?? "", /^12\.\d+\.\d+$/);
  assert.partialDeepStrictEqual(missing, {
    area: "environment",
    subject: "package no-such-package-of-llm-etl",
    status: "problem",
    code: "SETTING_MISSING",
    facts: {
      where: "no-such-package-of-llm-etl",
      users: ["one", "two"],
      hint: "npm install no-such-package-of-llm-etl",
    },
  });
  assert.deepEqual(others, []);
});

test("a package of the user's project counts, too", (t) => {
  const folder = temporaryFolder();
  const home = join(folder, "node_modules", "driver-of-a-project");
  mkdirSync(home, { recursive: true });
  writeFileSync(join(home, "package.json"), '{ "name": "driver-of-a-project", "version": "1.2.3", "main": "i.js" }');
  writeFileSync(join(home, "i.js"), "");
  const before = process.cwd();
  process.chdir(folder);
  t.after(() => process.chdir(before));
  const [found] = needs({ name: "one", requirements: { packages: ["driver-of-a-project"] } });
  assert.deepEqual([found?.status, found?.message], ["ok", "1.2.3"]);
});

test("a variable is told as set or not, never with its value; one that is optional only where it is set", (t) => {
  setVariable(t, "LLM_ETL_TEST_SET", "secret value");
  setVariable(t, "LLM_ETL_TEST_BLANK", "  ");
  setVariable(t, "LLM_ETL_TEST_OPTIONAL", "secret value");
  const found = needs({
    name: "azure",
    requirements: {
      environment: ["LLM_ETL_TEST_SET", "LLM_ETL_TEST_BLANK", "LLM_ETL_TEST_NONE"],
      optionalEnvironment: ["LLM_ETL_TEST_OPTIONAL", "LLM_ETL_TEST_NONE_EITHER"],
    },
  });
  assert.deepEqual(
    found.map(({ subject, status, code, facts }) => [subject, status, code, facts?.["state"], facts?.["users"]]),
    [
      ["LLM_ETL_TEST_SET", "ok", undefined, undefined, undefined],
      ["LLM_ETL_TEST_BLANK", "problem", "SETTING_MISSING", "blank", ["azure"]],
      ["LLM_ETL_TEST_NONE", "problem", "SETTING_MISSING", "not set", ["azure"]],
      ["LLM_ETL_TEST_OPTIONAL", "ok", undefined, undefined, undefined],
    ],
  );
  assert.ok(!JSON.stringify(found).includes("secret"));
});
