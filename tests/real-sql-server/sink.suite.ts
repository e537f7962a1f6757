import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { suite, test } from "node:test";
import type { ColumnValues, Sink } from "../../src/contracts/sink.ts";
import { SQLServerSink } from "../../src/sinks/sql-server.ts";
import { sinkContract, type SinkUnderTest } from "../../src/testing/sink-contract.ts";
import { noServer, realServer } from "../support/real-sql-server.ts";
import { groupsOf } from "../../src/testing/row-groups.ts";

const columnMap = { id: (values: ColumnValues) => values["id"], value: (values: ColumnValues) => values["value"] };
const columns =
  "id NVARCHAR(40) NOT NULL PRIMARY KEY, value NVARCHAR(200) NULL, CONSTRAINT CK_NAME CHECK (id <> N'refused')";

/** As a JavaScript user could, without the types. */
function sinkOf(options: object): Sink<never> {
  return Reflect.construct(SQLServerSink, [{ columnMap, ...options }]);
}

suite("SQLServerSink on a real server", { skip: noServer }, () => {
  const server = realServer();

  for (const strategy of ["merge", "update_insert", "insert"] as const) {
    test(`by ${strategy} it keeps what every sink promises`, async (t) => {
      const refusal = strategy === "merge" ? await server.refusalOfMerge() : undefined;
      if (refusal !== undefined) {
        t.skip(refusal);
        return;
      }
      const create = async (): Promise<SinkUnderTest> => {
        const name = `target_${randomBytes(4).toString("hex")}`;
        const table = await server.create(name, columns.replace("CK_NAME", `CK_${name}`));
        const options = { strategy, ...(strategy === "insert" ? {} : { mergeKeys: ["id"] }) };
        return {
          sink: sinkOf({ ...options, targetTable: table }),
          twin: sinkOf({ ...options, targetTable: table.toUpperCase() }),
          rowsWritten: () => server.run(`SELECT id, value FROM ${table}`),
          release: () => server.drop(name),
        };
      };
      const rejectedRow = { id: "refused", value: "x" };
      for (const { name, check } of sinkContract({ create, keyed: strategy !== "insert", rejectedRow })) {
        await t.test(name, check);
      }
    });
  }

  test("by update it changes the rows that are there, by an identity too, and adds none", async () => {
    const table = await server.create("in_place", "id INT IDENTITY(1, 1) PRIMARY KEY, value NVARCHAR(20) NULL");
    await server.run(`INSERT INTO ${table} (value) VALUES (N'a'), (N'b')`);
    const sink = sinkOf({ strategy: "update", mergeKeys: ["id"], targetTable: table });
    const session = await sink.open({ signal: AbortSignal.timeout(60_000) });
    try {
      await session.write(groupsOf([{ id: 2, value: "changed" }]));
      await assert.rejects(session.write(groupsOf([{ id: 3, value: "new" }])), { name: "SinkDataError" });
    } finally {
      await session.close("completed");
    }
    assert.deepEqual(await server.run(`SELECT id, value FROM ${table} ORDER BY id`), [
      { id: 1, value: "a" },
      { id: 2, value: "changed" },
    ]);
  });

  test("a target that does not fit is refused before the first row", async () => {
    const table = await server.create("keyless", "id NVARCHAR(40) NOT NULL, value NVARCHAR(200) NULL");
    const noKey = sinkOf({ strategy: "update_insert", mergeKeys: ["id"], targetTable: table });
    await assert.rejects(noKey.open({ signal: AbortSignal.timeout(60_000) }), {
      name: "TargetError",
      message: /has no primary key or unique index/,
    });
    const absent = sinkOf({ strategy: "insert", targetTable: table.replace("keyless", "keyles") });
    await assert.rejects(absent.open({ signal: AbortSignal.timeout(60_000) }), {
      name: "TargetError",
      message: /there is no table .* closest: "[^"]*keyless"/,
    });
  });
});
