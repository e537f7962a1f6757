import assert from "node:assert/strict";
import { test } from "node:test";
import { mapColumns, assertFits } from "../../src/engine/column-map.ts";
import type { SinkSession } from "../../src/index.ts";

test("each column gets what its function returns", () => {
  const values = mapColumns({ id: (s: { pk: string }) => s.pk, none: () => undefined }, { pk: "a" });
  assert.deepEqual(values, { id: "a", none: undefined });
});

test("a function that throws is named by its column, and its words stay out of the message", () => {
  const columnMap = {
    summary: () => {
      throw new TypeError("secret");
    },
  };
  assert.throws(() => mapColumns(columnMap, {}), {
    code: "COLUMN_MAP_FAILED",
    message: /^columnMap\.summary threw TypeError at .*column-map\.test\.ts:\d+$/,
    detail: /^columnMap\.summary threw TypeError: secret at /,
  });
});

test("a function that returns a promise is refused", () => {
  for (const late of [async () => 1, async () => await Promise.reject(new Error("nobody awaits it"))]) {
    assert.throws(() => mapColumns({ late }, {}), { code: "COLUMN_MAP_FAILED", detail: /TransformStep/ });
  }
});

const session = (check: NonNullable<SinkSession["check"]>): SinkSession => ({
  check,
  write: async () => {},
  close: async () => {},
});

test("violations become one error that names every column, values in the detail only", () => {
  const violations = [
    { column: "a", message: "too long", detail: 'too long: "secret"' },
    { column: "b", message: "is NULL", detail: "is NULL" },
  ];
  assert.throws(
    () =>
      assertFits(
        "sink",
        session(() => violations),
        {},
      ),
    {
      code: "VALUE_DOES_NOT_FIT",
      message: "a: too long; b: is NULL",
      detail: 'a: too long: "secret"; b: is NULL',
    },
  );
});

test("a check that throws is the sink's fault, not the row's", () => {
  const broken = session(() => {
    throw new Error("bug");
  });
  assert.throws(() => assertFits("memory", broken, {}), { code: "SINK_FAILED", scope: "run" });
});

test("a sink without a check accepts all", () => {
  assertFits("sink", { write: async () => {}, close: async () => {} }, { a: 1 });
  assert.throws(() =>
    assertFits(
      "sink",
      session(() => [{ column: "a", message: "m", detail: "d" }]),
      { a: 1 },
    ),
  );
});
