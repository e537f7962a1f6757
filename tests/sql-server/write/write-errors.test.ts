import assert from "node:assert/strict";
import { test } from "node:test";
import { meaningOf } from "../../../src/sql-server/write/write-errors.ts";
import { CommitInDoubtError, type ErrorMeaning, type FailedAttempts } from "../../../src/table/dialect.ts";
import { targetColumn, targetOf } from "../../support/target.ts";

const connection = { server: "host,1433", patienceMs: 300_000 };
const found = targetOf("merge", { columns: [targetColumn("summary", 0), targetColumn("odd'name", 1)] });
const uniqueKeys = [{ index: "UQ_visits", isPrimary: false, unusable: undefined, columns: [{ name: "summary" }] }];
const target = { table: { ...found.table, uniqueKeys } };

const serverError = (number: number, message = "a secret"): Error => Object.assign(new Error(message), { number });
const writing: FailedAttempts = { triedForMs: 0, isWriting: true };
const meaning = (error: unknown): ErrorMeaning => meaningOf(error, connection, target, writing);

test("a commit in doubt is passing, whatever broke it, but for what the server says by number", () => {
  assert.equal(meaning(new CommitInDoubtError(new Error("gone"))).kind, "passing");
  assert.equal(meaning(new CommitInDoubtError(serverError(1205))).kind, "passing");
  assert.equal(meaning(new CommitInDoubtError(serverError(3902))).kind, "fatal");
});

test("a row that the server rejects is known by its number, with the column, constraint or index at fault", () => {
  const known: readonly (readonly [number, string, string | undefined])[] = [
    [
      2628,
      "String or binary data would be truncated in table 'clinic.dbo.t', column 'summary'. Truncated value: 'secret'.",
      "summary",
    ],
    [8152, "String or binary data would be truncated.", undefined],
    [
      515,
      "Cannot insert the value NULL into column 'summary', table 'clinic.dbo.t'; column does not allow nulls. INSERT fails.",
      "summary",
    ],
    [
      547,
      'The MERGE statement conflicted with the CHECK constraint "CK_visits". The conflict occurred in database "clinic", table "dbo.t".',
      "CK_visits",
    ],
    [
      2627,
      "Violation of PRIMARY KEY constraint 'PK_t'. Cannot insert duplicate key in object 'dbo.t'. The duplicate key value is (secret).",
      "PK_t",
    ],
    [
      2601,
      "Cannot insert duplicate key row in object 'dbo.t' with unique index 'UQ_visits'. The duplicate key value is (secret).",
      "UQ_visits",
    ],
    [245, "Conversion failed when converting the nvarchar value 'secret' to data type int.", undefined],
    [8115, "Arithmetic overflow error converting numeric to data type numeric.", undefined],
    [9436, "XML parsing: line 1, character 8, end tag does not match start tag", undefined],
    [50_001, "no 'secret' in column 'summary' please", undefined],
    [3609, "The transaction ended in the trigger. The batch has been aborted.", undefined],
  ];
  for (const [number, message, where] of known) {
    const { kind, facts, problem, detail } = meaning(serverError(number, message));
    assert.equal(kind, "data", `${number}`);
    assert.deepEqual([facts?.["errorNumber"], facts?.where], [number, where]);
    assert.ok(!problem.includes("secret") && detail?.includes(message) === true);
  }
});

test("a name that stands in a value only is not taken for the column", () => {
  const message =
    "String or binary data would be truncated in table 'clinic.dbo.t', column 'other'. Truncated value: 'column 'summary''.";
  assert.equal(meaning(serverError(2628, message)).facts?.where, undefined);
});

test("the number is found in errors that an error was made from", () => {
  const inner = serverError(515, "Cannot insert the value NULL into column 'summary'");
  const outer = Object.assign(new Error("aborted"), { number: 3621, precedingErrors: [inner] });
  for (const error of [outer, new AggregateError([inner, new Error("x")])]) {
    const { kind, facts } = meaning(error);
    assert.deepEqual([kind, facts?.["errorNumber"], facts?.where], ["data", 515, "summary"]);
  }
});

test("what is neither passing nor the data's fault is fatal, with the next step where one is known", () => {
  for (const number of [208, 229, 9002]) assert.ok(meaning(serverError(number)).facts?.hint !== undefined, `${number}`);
  for (const error of [
    serverError(208),
    serverError(229),
    serverError(9002),
    serverError(777),
    new Error("a secret"),
  ]) {
    const { kind, problem, detail, facts } = meaning(error);
    assert.deepEqual([kind, facts?.where], ["fatal", "dbo.t"]);
    assert.ok(!problem.includes("secret") && detail?.includes("secret") === true);
  }
});

test("in the preflight every error is the catalog's, passing or fatal", () => {
  for (const [number, kind] of [
    [229, "fatal"],
    [515, "fatal"],
    [1205, "passing"],
  ] as const) {
    const found = meaningOf(serverError(number), connection, undefined, { triedForMs: 0, isWriting: false });
    assert.equal(found.kind, kind);
    assert.match(found.problem, /catalog/);
    assert.ok(!found.problem.includes("secret"));
  }
});

test("an error of a number from 50,000 on is a trigger's where the server names a procedure, and a row's only while rows are written", () => {
  const raised = (procName: string): Error => Object.assign(serverError(50_001), { procName });
  assert.match(meaning(raised("tr_visits")).problem, /trigger/);
  for (const error of [serverError(33_557_097), raised(""), raised("sp_executesql")]) {
    const { kind, problem } = meaning(error);
    assert.equal(kind, "data");
    assert.doesNotMatch(problem, /trigger/);
  }
  for (const error of [serverError(33_557_097), raised("tr_visits"), serverError(515), serverError(245)]) {
    const before = meaningOf(error, connection, target, { triedForMs: 0, isWriting: false });
    assert.equal(before.kind, "fatal");
    assert.doesNotMatch(before.problem, /trigger|a row/);
  }
});

test("the message says how long it was tried, not how long it might have been", () => {
  const tried = (triedForMs: number): ErrorMeaning =>
    meaningOf(serverError(1205), connection, target, { triedForMs, isWriting: true });
  assert.match(tried(100).problem, / 0\.1 seconds/);
  assert.match(tried(300_040).problem, / 300 seconds/);
  assert.equal(tried(100).facts?.["triedForMs"], 100);
});

test("a login that is denied midway keeps its number and its remedy, whether it may pass or not", () => {
  const denied = (number?: number): Error => {
    const login = Object.assign(new Error("Login failed for user 'u'."), { code: "ELOGIN" }, number && { number });
    return Object.assign(new Error(login.message), { code: "ELOGIN", originalError: login });
  };
  for (const [number, kind] of [
    [18_456, "passing"],
    [4060, "passing"],
    [18_470, "fatal"],
    [18_488, "fatal"],
    [undefined, "passing"],
  ] as const) {
    for (const found of [target, undefined]) {
      const { facts, ...of } = meaningOf(denied(number), connection, found, writing);
      assert.equal(of.kind, kind, `${number}`);
      assert.deepEqual(facts?.["errorNumbers"], number === undefined ? [] : [number]);
      assert.match(facts?.hint ?? "", /login|User ID|Database/, `${number}`);
    }
  }
});

test("a wait for the locks of others was patience, too", () => {
  assert.equal(meaning(serverError(1222)).waitedMs, 30_000);
  const hurried = meaningOf(serverError(1222), { ...connection, patienceMs: 5000 }, target, writing);
  assert.equal(hurried.waitedMs, 5000);
});
