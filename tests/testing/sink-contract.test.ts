import assert from "node:assert/strict";
import { test } from "node:test";
import { SinkDataError } from "../../src/errors/sink.ts";
import type { ColumnValues, Sink } from "../../src/contracts/sink.ts";
import { sinkContract, type SinkUnderTest } from "../../src/testing/sink-contract.ts";

interface Faults {
  readonly ignoresAbort?: boolean;
  readonly dropsLastRow?: boolean;
  readonly writesForEmptyBatch?: boolean;
  readonly keepsFirstBatchOnly?: boolean;
  readonly trimsText?: boolean;
  readonly isNeverEmpty?: boolean;
  readonly rejectsGoodRows?: boolean;
  readonly identities?: readonly [string, string];
  readonly throwsOnSecondClose?: boolean;
  readonly dropsWhenStopped?: boolean;
  readonly forgetsAtOpen?: boolean;
  readonly nullBecomesText?: boolean;
  readonly appendsOnly?: boolean;
  readonly keepsOldRow?: boolean;
  readonly writesUpToTheBadRow?: boolean;
  readonly writesAtLook?: boolean;
  readonly dropsGroups?: boolean;
}

/** A keyed sink over memory, with faults on request. */
async function create(faults: Faults): Promise<SinkUnderTest> {
  let rows: ColumnValues[] = [];
  const sinkNamed = (identity: string): Sink<{ readonly id: string; readonly value: string | null }> => ({
    name: "memory",
    identity,
    keepsRows: true,
    columnMap: { id: (state) => state.id, value: (state) => state.value },
    preflight: async () => {
      if (faults.writesAtLook) rows = [{ id: "ghost", value: "" }];
      return { close: async () => {} };
    },
    open: async ({ signal }) => {
      if (!faults.ignoresAbort) signal.throwIfAborted();
      if (faults.forgetsAtOpen) rows = [];
      let [batchCount, closeCount] = [0, 0];
      return {
        check: () => (faults.rejectsGoodRows ? [{ column: "id", message: "no", detail: "no" }] : []),
        write: async (batch) => {
          batchCount += 1;
          if (faults.writesForEmptyBatch && batch.length === 0) rows.push({ id: "ghost", value: "" });
          if (faults.keepsFirstBatchOnly && batchCount > 1) return;
          const before = [...rows];
          const written = batch.flatMap((group) => (faults.dropsGroups ? group.rows.slice(0, 1) : group.rows));
          for (const values of faults.dropsLastRow ? written.slice(0, -1) : written) {
            if (values["id"] === null) {
              if (!faults.writesUpToTheBadRow) rows = before;
              throw new SinkDataError("memory", "id is NULL");
            }
            put(values);
          }
        },
        isEmpty: async () => faults.isNeverEmpty !== true && rows.length === 0,
        holds: async ({ id }) => rows.some((row) => row["id"] === id),
        close: async (outcome) => {
          closeCount += 1;
          if (faults.throwsOnSecondClose && closeCount > 1) throw new Error("closed already");
          if (faults.dropsWhenStopped && outcome === "stopped") rows = [];
        },
      };
    },
  });
  function put({ id, value }: ColumnValues): void {
    let kept = value;
    if (faults.trimsText && typeof value === "string") kept = value.trim();
    if (faults.nullBecomesText && value === null) kept = "";
    const found = rows.findIndex((row) => row["id"] === id);
    if (found === -1 || faults.appendsOnly) rows.push({ id, value: kept });
    else if (!faults.keepsOldRow) rows[found] = { id, value: kept };
  }
  const [identity, twin] = faults.identities ?? ["memory", "memory"];
  return { sink: sinkNamed(identity), twin: sinkNamed(twin), rowsWritten: async () => rows };
}

async function failingChecks(faults: Faults): Promise<string[]> {
  const failing: string[] = [];
  for (const { name, check } of sinkContract({ create: () => create(faults), rejectedRow: { id: null, value: "x" } })) {
    await check().catch(() => failing.push(name));
  }
  return failing;
}

test("a sink that keeps its promises passes every check", async () => {
  assert.deepEqual(await failingChecks({}), []);
});

const detectedBy: Record<string, Faults> = {
  "an aborted signal opens nothing": { ignoresAbort: true },
  "a batch is written whole": { dropsLastRow: true },
  "all rows of a group are written": { dropsGroups: true },
  "an empty batch writes nothing": { writesForEmptyBatch: true },
  "one batch after another is written": { keepsFirstBatchOnly: true },
  "quotes, line breaks, emoji and empty text survive": { trimsText: true },
  "the sink's own check lets good rows pass": { rejectsGoodRows: true },
  "two sinks over one target have one identity": { identities: ["a", "b"] },
  "closing twice is harmless": { throwsOnSecondClose: true },
  "a run that stopped leaves what was written where rows are kept": { dropsWhenStopped: true },
  "the next run finds what was written where rows are kept": { forgetsAtOpen: true },
  "where rows are kept, the sink tells an empty target and a row that is missing": { isNeverEmpty: true },
  "a look before a run writes nothing and is in no run's way": { writesAtLook: true },
  "NULL stays NULL": { nullBecomesText: true },
  "a batch written again changes nothing": { appendsOnly: true },
  "a later row replaces its key's": { keepsOldRow: true },
  "a batch with a row that is rejected is rejected whole": { writesUpToTheBadRow: true },
};

for (const [name, faults] of Object.entries(detectedBy)) {
  test(`the fault "${Object.keys(faults).join()}" fails the check "${name}"`, async () => {
    assert.ok((await failingChecks(faults)).includes(name));
  });
}

test("every check has a fault that it detects", () => {
  const names = sinkContract({ create: () => create({}), rejectedRow: {} }).map(({ name }) => name);
  assert.deepEqual(names.toSorted(), Object.keys(detectedBy).toSorted());
});

test("an empty identity fails, a sink without keys and NULL is asked less, and the target is released", async () => {
  assert.deepEqual(await failingChecks({ identities: ["", ""] }), ["two sinks over one target have one identity"]);
  let released = 0;
  const release = async (): Promise<void> => void (released += 1);
  const createReleased = async (): Promise<SinkUnderTest> => ({ ...(await create({ dropsLastRow: true })), release });
  const checks = sinkContract({ create: createReleased, keyed: false, keepsNull: false });
  assert.equal(checks.length, 13);
  for (const { check } of checks) await check().catch(() => undefined);
  assert.equal(released, 13);
});
