import { test, type TestContext } from "node:test";
import { SinkDataError, SinkError } from "../../src/errors/sink.ts";
import { SourceError } from "../../src/errors/source.ts";
import { connectionProblem } from "../../src/sql-server/connect/connection-errors.ts";
import { connectionSettings } from "../../src/sql-server/connect/connection-settings.ts";
import { shapeOf } from "../../src/sql-server/read/result-shape.ts";
import { meaningOf } from "../../src/sql-server/write/write-errors.ts";
import { assertSentences } from "../support/error-sentences.ts";
import { invalid, sourceFail } from "../support/sql-server-errors.ts";
import { sqlServerUnderTest } from "../support/sql-server-under-test.ts";
import { constructSink } from "../support/sql-server-target.ts";
import { groupsOf } from "../../src/testing/row-groups.ts";
import { targetColumn, targetOf } from "../support/target.ts";

const signal = new AbortController().signal;
const serverError = (number: number, message = "the server's text"): Error =>
  Object.assign(new Error(message), { number });

test("the sentences about connection strings", async (t) => {
  const strings = [
    "mssql://sa:hunter2@host/db",
    "hunter2",
    "Server=h;PWD=p@;hunter2",
    'Server=h;PWD="hunter2"x;UID=u',
    "Server=h;PWD={hunter2}",
    "Server=h",
    "Server=h:1433;UID=u;PWD=p",
    "Server=h,0;UID=u;PWD=p",
    "Server=h;UID=DOM\\u;PWD=p",
    "Server=h;Integrated Security=SSPI",
    "Server=h;UID=u;PWD=p;Encrypt=perhaps",
    "Server=h;UID=u;PWD=p;Packet Size=100",
    "Server=h;Pasword=x",
    "PWD=a;PWD=b",
    "Server=h;Authentication=Active Directory Interactive",
  ];
  const read = (text: string) => (): unknown => connectionSettings(text, undefined, invalid);
  await assertSentences(t, strings.map(read));
});

test("the sentences about connections", async (t) => {
  const causes = [
    Object.assign(new Error("Login failed for user 'u'."), { number: 18_456 }),
    Object.assign(new Error("socket"), { code: "ESOCKET", cause: { code: "ECONNREFUSED" } }),
    new Error("odd"),
  ];
  const failing = (cause: Error) => (): SourceError => {
    const { problem, facts } = connectionProblem(cause, { server: "h,1433", database: "clinic" }, []);
    return new SourceError("sql-server", problem, { facts });
  };
  await assertSentences(t, causes.map(failing));
});

test("the sentences about the columns of a query", async (t) => {
  const described = [[], [{ name: "" }], [{ name: "a", system_type_name: "sql_variant" }], [{ name: "Id" }]];
  const reading = (columns: (typeof described)[number]) => (): unknown =>
    shapeOf(columns, columns.length === 0 ? {} : { primaryKeyColumn: "a" }, "the sql", sourceFail);
  await assertSentences(t, described.map(reading));
});

test("the sentences about a batch that is not written", async (t) => {
  const target = targetOf("merge", { columns: [targetColumn("summary", 0)] });
  const failing =
    (number: number, message?: string, inPreflight = false) =>
    (): SinkError | SinkDataError => {
      const place = { server: "h,1433", patienceMs: 300_000 };
      const attempts = { triedForMs: 300_000, isWriting: !inPreflight };
      const meaning = meaningOf(serverError(number, message), place, inPreflight ? undefined : target, attempts);
      const { kind, problem, detail, facts } = meaning;
      return new (kind === "data" ? SinkDataError : SinkError)("sql-server", problem, { detail, facts });
    };
  await assertSentences(t, [
    failing(40_613),
    failing(515, "Cannot insert the value NULL into column 'summary'"),
    failing(102),
    failing(777),
    failing(229, "The SELECT permission was denied", true),
  ]);
});

test("the sentences of the preflight and of rows", async (t: TestContext) => {
  const database = await sqlServerUnderTest(t);
  await database.create({
    name: "visits",
    columns: [
      { name: "id", isNotNull: true },
      { name: "value", maxLength: 5 },
    ],
    key: ["id"],
  });
  const open =
    (targetTable: string, columns: readonly string[], mergeKeys: readonly string[]) => async (): Promise<void> => {
      const columnMap = Object.fromEntries(columns.map((column) => [column, () => null]));
      await database.sink({ targetTable, columnMap, strategy: "merge", mergeKeys }).open({ signal });
    };
  const writing = async (): Promise<void> => {
    const columnMap = { id: () => null, value: () => null };
    const session = await database
      .sink({ targetTable: "visits", columnMap, strategy: "update", mergeKeys: ["id"] })
      .open({ signal });
    try {
      await session.write(groupsOf([{ id: "1", value: "x" }]));
    } finally {
      await session.close("stopped");
    }
  };
  await assertSentences(
    t,
    [
      () => constructSink({ targetTable: "a.b.c", mergeKeys: ["id"], columnMap: { id: () => null } }),
      () => constructSink({ targetTable: "#t", mergeKeys: ["id"], columnMap: { id: () => null } }),
      open("visit", ["id"], ["id"]),
      open("visits", ["id", "valeu"], ["id"]),
      open("visits", ["id", "value"], ["value"]),
      writing,
    ],
    database.address,
  );
});
