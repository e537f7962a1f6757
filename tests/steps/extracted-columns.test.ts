import assert from "node:assert/strict";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { SQLServerSink } from "../../src/sinks/sql-server.ts";
import { SQLiteSink } from "../../src/sinks/sqlite.ts";
import { failsWith } from "../support/error-facts.ts";
import { extractedColumns, extraction, goodAnswer, tableFor } from "../support/extraction.ts";
import { startTargetServer } from "../support/sql-server-target.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const folder = temporaryFolder();
let count = 0;

async function intoSQLite(columns: string, answers: readonly unknown[]) {
  const databasePath = join(folder, `${(count += 1)}.db`);
  const database = new DatabaseSync(databasePath);
  database.exec(`CREATE TABLE prescriptions (id TEXT PRIMARY KEY, ${columns})`);
  const sink = new SQLiteSink({
    databasePath,
    targetTable: "prescriptions",
    mergeKeys: ["id"],
    columnMap: extractedColumns,
  });
  try {
    const { report, requests } = await extraction(sink, answers);
    const written = database.prepare("SELECT * FROM prescriptions").all();
    return { report, requests, written: written.map((row) => ({ ...row })) };
  } finally {
    database.close();
  }
}

const asChecked = "patient TEXT CHECK (json_valid(patient)), drugs TEXT CHECK (json_valid(drugs))";
const others = "name VARCHAR(20), written DATE, next_visit DATETIME, dose REAL, unit TEXT";

test("objects and arrays, dates, and numbers with their units are found and written to SQLite", async () => {
  for (const columns of [`patient JSON, drugs JSONB, ${others}`, `${asChecked}, ${others}`]) {
    const { report, written } = await intoSQLite(columns, [goodAnswer]);
    assert.equal(report.successCount, 1, JSON.stringify(report.failuresByCode));
    assert.deepEqual(written, [
      {
        id: "1",
        patient: JSON.stringify(goodAnswer.patient),
        drugs: JSON.stringify(goodAnswer.drugs),
        name: "Jane",
        written: "2026-11-30",
        next_visit: "2026-12-07T08:30:00Z",
        dose: 2.5,
        unit: "mg",
      },
    ]);
  }
});

test("a date in another form, a unit that is none, and a nested field of another type are asked for again, with what is expected", async () => {
  const cases: readonly (readonly [wrong: object, line: RegExp])[] = [
    [{ written: "30 November 2026" }, /- written: must be a date like 2024-03-31/],
    [{ written: "2026-02-30" }, /- written: must be a date like/],
    [{ written: "11/30/2026" }, /- written: must be a date like/],
    [{ next_visit: "next Monday at 8:30" }, /- next_visit: must be a date and time like 2024-03-31T14:05:00Z/],
    [{ next_visit: "2026-12-07" }, /- next_visit: must be a date and time like/],
    [{ dose: { value: 2.5, unit: "milligrams" } }, /- dose\.unit: "milligrams" is not one of the allowed values/],
    [{ dose: { value: "2.5 mg", unit: "mg" } }, /- dose\.value: must be a number/],
    [{ dose: { value: -1, unit: "mg" } }, /- dose\.value: must be more than 0/],
    [{ drugs: [{ name: "Aspirin", days: 1.5 }] }, /- drugs\.0\.days: must be an int/],
    [{ patient: { name: "J".repeat(21), birthday: null } }, /- patient\.name: must have at most 20 characters/],
    [{ patient: { name: "Jane", birthday: "1980" } }, /- patient\.birthday: must be a date like/],
  ];
  for (const [wrong, line] of cases) {
    const { report, requests } = await intoSQLite(`${asChecked}, ${others}`, [{ ...goodAnswer, ...wrong }, goodAnswer]);
    assert.deepEqual([report.successCount, report.usage.reAsks], [1, 1], JSON.stringify(wrong));
    assert.match(requests[1]?.messages.at(-1)?.content ?? "", line);
  }
});

test("a column that holds neither objects nor arrays is found before the first call, with what to do", async () => {
  await assert.rejects(
    intoSQLite(`patient TEXT, drugs JSON, ${others}`, []),
    failsWith("TARGET_MISMATCH", { where: "patient", type: "an object" }),
  );
  await assert.rejects(
    intoSQLite(`patient JSON, drugs TEXT, ${others}`, []),
    failsWith("TARGET_MISMATCH", { where: "drugs", type: "an array" }),
  );
});

test("the table that SQLite is given for them takes what is found", async () => {
  const databasePath = join(folder, "made.db");
  const sink = new SQLiteSink({
    databasePath,
    targetTable: "prescriptions",
    mergeKeys: ["id"],
    columnMap: extractedColumns,
  });
  const database = new DatabaseSync(databasePath);
  database.exec(tableFor(sink));
  database.close();
  const { report } = await extraction(sink, [goodAnswer]);
  assert.equal(report.successCount, 1, JSON.stringify(report.failuresByCode));
});

test("objects and arrays, dates, and numbers with their units are found and written to SQL Server", async (t) => {
  const sql = `CREATE TABLE dbo.prescriptions (id VARCHAR(20) NOT NULL PRIMARY KEY, patient NVARCHAR(MAX) NOT NULL, name NVARCHAR(20) NULL, drugs NVARCHAR(MAX) NULL,
    written DATE NULL, next_visit DATETIME2(0) NULL, dose DECIMAL(9,3) NULL, unit VARCHAR(10) NULL)`;
  const server = await startTargetServer({ sql }, t);
  const sink = new SQLServerSink({
    connectionString: server.connectionString,
    targetTable: "dbo.prescriptions",
    mergeKeys: ["id"],
    columnMap: extractedColumns,
  });
  const { report } = await extraction(sink, [{ ...goodAnswer, written: "30.11.2026" }, goodAnswer]);
  assert.deepEqual([report.successCount, report.usage.reAsks], [1, 1], JSON.stringify(report.failuresByCode));
  const [row] = server.table("dbo.prescriptions").rows();
  assert.equal(row?.["patient"], JSON.stringify(goodAnswer.patient));
  assert.equal(row?.["drugs"], JSON.stringify(goodAnswer.drugs));
});
