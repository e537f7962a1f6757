import assert from "node:assert/strict";
import { test } from "node:test";
import { Findings } from "../../src/check/report.ts";
import { RowError } from "../../src/errors/llm-etl-error.ts";
import { SettingError } from "../../src/errors/option.ts";

const { signal } = new AbortController();

test("what a work throws is a problem with its code; what it gives is handed on", async () => {
  const findings = new Findings({ rowErrorStatus: "problem", signal });
  const failing = async (): Promise<number> => await Promise.reject(new SettingError("X", "key", "X_KEY"));
  assert.equal(await findings.tryCheck("providers", "provider x", failing), undefined);
  assert.equal(await findings.tryCheck("providers", "provider y", () => 7), 7);
  const [found, ...others] = findings.list;
  assert.deepEqual([found?.status, found?.code, found?.subject], ["problem", "SETTING_MISSING", "provider x"]);
  assert.deepEqual(others, []);
});

test("an error of a row is what the pipeline makes of one", async () => {
  const findings = new Findings({ rowErrorStatus: "warning", signal });
  findings.addError("source", "first row", new RowError("EMPTY_INPUT", "blank"));
  findings.addError("source", "first row", new RowError("EMPTY_INPUT", "blank"), "problem");
  assert.deepEqual(
    findings.list.map(({ status }) => status),
    ["warning", "problem"],
  );
});

test("of somebody else's error the class and the line are shown, not the message", async () => {
  const findings = new Findings({ rowErrorStatus: "problem", signal });
  await findings.tryCheck("sink", "sink x", () => {
    throw new Error("no way to host;Password=hunter2;");
  });
  const [{ area, subject, status, message } = {}, ...others] = findings.list;
  assert.deepEqual([area, subject, status, others], ["sink", "sink x", "problem", []]);
  assert.match(String(message), /^it threw Error at .*report\.test\.ts:\d+$/);
});

test("an abort is no finding", async () => {
  const reason = new Error("enough");
  const findings = new Findings({ rowErrorStatus: "problem", signal: AbortSignal.abort(reason) });
  await assert.rejects(
    findings.tryCheck("sink", "sink x", () => {
      throw new Error("it was cut off");
    }),
    reason,
  );
  assert.deepEqual(findings.list, []);
});
