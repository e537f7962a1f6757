import assert from "node:assert/strict";
import { test } from "node:test";
import type { ColumnValues, Sink, SinkSession } from "../../src/contracts/sink.ts";
import type { ErrorFacts } from "../../src/errors/facts.ts";
import { PostgreSQLSink, type PostgreSQLSinkOptions } from "../../src/sinks/postgresql.ts";
import { groupsOf } from "../../src/testing/row-groups.ts";
import { tableSinkContract } from "../../src/testing/table-sink-contract.ts";
import { failsWith } from "../support/error-facts.ts";
import { noPostgreSQL, testDatabase } from "../support/postgresql/database.ts";
import { constructPostgreSQLSink, postgreSQLKinds, postgreSQLUnderTest } from "../support/postgresql/under-test.ts";

const skip = noPostgreSQL;
const database = testDatabase();

const suite = tableSinkContract({
  create: async () => await postgreSQLUnderTest(database),
  strategies: ["merge", "update", "insert"],
  kinds: postgreSQLKinds,
});
for (const { name, check } of suite) test(`PostgreSQLSink: ${name}`, { skip }, check);

async function fresh(sql: string): Promise<void> {
  await database.run(`DROP SCHEMA IF EXISTS public CASCADE; CREATE SCHEMA public; ${sql}`);
}

function sinkOf(columns: readonly string[], options: object = {}): Sink<never> {
  const columnMap = Object.fromEntries(columns.map((column) => [column, () => null]));
  const target = { targetTable: "t", mergeKeys: columns.slice(0, 1) };
  return constructPostgreSQLSink({ connectionString: database.url(), columnMap, ...target, ...options });
}

async function opened(columns: readonly string[], options: object = {}): Promise<SinkSession> {
  return await sinkOf(columns, options).open({ signal: new AbortController().signal });
}

function urlWith(options: string): string {
  return `${database.url()}?options=${encodeURIComponent(options)}`;
}

async function writeAll(session: SinkSession, ...rows: readonly ColumnValues[]): Promise<void> {
  for (const row of rows) assert.deepEqual(session.check?.(row), []);
  await session.write(groupsOf(rows));
}

const kept: readonly (readonly [type: string, value: unknown, stored: string])[] = [
  ["boolean", true, "true"],
  ["boolean", "false", "false"],
  ["smallint", -32_768, "-32768"],
  ["integer", "42", "42"],
  ["bigint", 9_223_372_036_854_775_807n, "9223372036854775807"],
  ["numeric", "12345678901234567890.1234567890123456780", "12345678901234567890.1234567890123456780"],
  ["numeric", "NaN", "NaN"],
  ["numeric", 1e21, "1000000000000000000000"],
  ["numeric", `${"9".repeat(1000)}.5`, `${"9".repeat(1000)}.5`],
  ["numeric(900,400)", "7".repeat(500), `${"7".repeat(500)}.${"0".repeat(400)}`],
  ["numeric(5,2)", 1.005, "1.01"],
  ["numeric(3,-2)", 1234, "1200"],
  ["double precision", 0.1, "0.1"],
  ["double precision", 5e-324, "5e-324"],
  ["double precision", Number.NaN, "NaN"],
  ["double precision", -Infinity, "-Infinity"],
  ["real", 0.1, "0.1"],
  ["text", "tab\tline\n\\N \\. größe 日本 \u{1F600}", "tab\tline\n\\N \\. größe 日本 \u{1F600}"],
  ["text", "", ""],
  ["text", { a: [1] }, '{"a":[1]}'],
  ["varchar(3)", "日本\u{1F600}", "日本\u{1F600}"],
  ["date", new Date("2026-01-02T23:00:00Z"), "2026-01-02"],
  ["date", "0044-03-15 BC", "0044-03-15 BC"],
  ["date", "infinity", "infinity"],
  ["timestamp", "2026-01-02T03:04:05.1234567+02:00", "2026-01-02 01:04:05.123457"],
  ["timestamp(0)", "2026-12-31T23:59:59.6", "2027-01-01 00:00:00"],
  ["timestamptz", "2026-01-02T03:04:05.123456", "2026-01-02 03:04:05.123456+00"],
  ["timestamptz", new Date(0), "1970-01-01 00:00:00+00"],
  ["timestamptz", "-infinity", "-infinity"],
  ["time", "03:04:05.5", "03:04:05.5"],
  ["time", "24:00:00", "24:00:00"],
  ["interval", "P1DT2H", "1 day 02:00:00"],
  ["uuid", "{A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11}", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"],
  ["bytea", Buffer.from([0, 92, 255]), "\\x005cff"],
  ["jsonb", { a: ["x", null], b: 1.5 }, '{"a": ["x", null], "b": 1.5}'],
  ["jsonb", [], "[]"],
  ["jsonb", { a: [2n ** 64n], at: new Date(0) }, '{"a": [18446744073709551616], "at": "1970-01-01T00:00:00.000Z"}'],
  ["jsonb[]", [{ a: 2n ** 64n }], '{"{\\"a\\": 18446744073709551616}"}'],
  ["jsonb", '"text"', '"text"'],
  ["jsonb", 5, "5"],
  ["json", new Date(0), '"1970-01-01T00:00:00.000Z"'],
  ["text[]", ["a", null, 'b "c" \\ {d},', "NULL", ""], '{a,NULL,"b \\"c\\" \\\\ {d},","NULL",""}'],
  [
    "int[]",
    [
      [1, 2],
      [3, 4],
    ],
    "{{1,2},{3,4}}",
  ],
  ["bytea[]", [Buffer.from([1])], '{"\\\\x01"}'],
  ["timestamptz[]", [new Date(0)], '{"1970-01-01 00:00:00+00"}'],
  ["inet", "10.0.0.1", "10.0.0.1/32"],
  ["int4range", "[1,5)", "[1,5)"],
  ["mood", "happy", "happy"],
  ["mood[]", ["sad", null], "{sad,NULL}"],
  ["positive", 3, "3"],
];

test("each type keeps its values, with all their digits", { skip }, async () => {
  const columns = kept.map(([type], index) => `c${index} ${type}`).join(", ");
  await fresh(`CREATE TYPE mood AS ENUM ('happy', 'sad'); CREATE DOMAIN positive AS int CHECK (VALUE > 0);
    CREATE TABLE t (id text PRIMARY KEY, ${columns}); ALTER ROLE postgres IN DATABASE ${database.name} SET timezone = 'Asia/Kolkata'`);
  const session = await opened(["id", ...kept.map((_, index) => `c${index}`)]);
  await writeAll(session, { id: "1", ...Object.fromEntries(kept.map(([, value], index) => [`c${index}`, value])) });
  await session.close("completed");
  const stored = kept.map((_, index) => `c${index}::text`).join(", ");
  const [row = {}] = await database.run(`SELECT to_json(ARRAY[${stored}]) AS found FROM t`);
  assert.deepEqual(
    row["found"],
    kept.map(([, , text]) => text),
  );
});

const rejected: readonly (readonly [type: string, value: unknown])[] = [
  ["boolean", "maybe"],
  ["smallint", 32_768],
  ["integer", 1.5],
  ["bigint", 2n ** 63n],
  ["numeric(3,1)", 100],
  ["numeric", "many"],
  ["double precision", "many"],
  ["real", 1e39],
  ["varchar(3)", "long"],
  ["text", "half \ud800"],
  ["text", "nul \0"],
  ["text", new Map()],
  ["date", "2026-02-30"],
  ["timestamptz", "yesterday"],
  ["uuid", "no uuid"],
  ["bytea", "no bytes"],
  ["jsonb", "no json"],
  ["jsonb", { a: "nul \0" }],
  ["text[]", 5],
  ["int[]", [1, "x"]],
  ["text[]", ["nul \0"]],
  ["mood", "Happy"],
  ["mood[]", ["happy", "angry"]],
];

test(
  "values that a column can't hold are found before they are written, and no message holds them",
  { skip },
  async () => {
    const columns = rejected.map(([type], index) => `c${index} ${type}`).join(", ");
    await fresh(`CREATE TYPE mood AS ENUM ('happy', 'sad'); CREATE TABLE t (id text PRIMARY KEY, ${columns})`);
    const session = await opened(["id", ...rejected.map((_, index) => `c${index}`)]);
    for (const [index, [type, value]] of rejected.entries()) {
      const violations = session.check?.({ id: `${index}`, [`c${index}`]: value }) ?? [];
      assert.deepEqual(
        violations.map(({ column }) => column),
        [`c${index}`],
        type,
      );
      if (typeof value === "string") assert.ok(!violations[0]?.message.includes(value), type);
    }
    await session.close("stopped");
  },
);

test("limits reach the model: lengths, ranges, enum types, checks and domains", { skip }, async () => {
  await fresh(`CREATE TYPE mood AS ENUM ('happy', 'it''s'); CREATE DOMAIN level AS text CHECK (VALUE IN ('low', 'high'));
    CREATE DOMAIN code AS varchar(4); CREATE DOMAIN lower_level AS level CHECK (VALUE IN ('low', 'lowest')); CREATE EXTENSION IF NOT EXISTS citext; CREATE TABLE t (id text PRIMARY KEY, a varchar(9), b numeric(3,1), c smallint, d mood, e level, f code,
      g text CHECK (g IN ('x', 'y''z')), h varchar(5) CHECK (h IS NULL OR h IN ('p', 'q')), i int CHECK (i = 1 OR i = -2), j mood[],
      k text CHECK (k = 'only'), l text CHECK (l IN ('a', 'b') AND length(l) < 5), "M m" char(2) CHECK ("M m" IN ('a', 'b')), n lower_level,
      o text, p citext CHECK (p IN ('Yes', 'No')), q bigint CHECK (q IN (9007199254740993)), r text CONSTRAINT s CHECK (r IN ('a', 'b')) NO INHERIT);
    ALTER TABLE t ADD CHECK (o IN ('v', 'w')) NOT VALID`);
  const session = await opened(["id", ..."abcdefghijkl", "M m", ..."nopqr"]);
  const schemas = Object.fromEntries(Object.entries(session.limits ?? {}).map(([name, { schema }]) => [name, schema]));
  assert.deepEqual(schemas, {
    id: {},
    a: { maxLength: 9 },
    b: { minimum: -99.9, maximum: 99.9 },
    c: { minimum: -32_768, maximum: 32_767 },
    d: { enum: ["happy", "it's"] },
    e: { enum: ["low", "high"] },
    f: { maxLength: 4 },
    g: { enum: ["x", "y'z"] },
    h: { enum: ["p", "q"] },
    i: { enum: [1, -2] },
    j: {},
    k: { enum: ["only"] },
    l: {},
    "M m": { enum: ["a", "b"] },
    n: { enum: ["low"] },
    o: { enum: ["v", "w"] },
    p: { enum: ["Yes", "No"] },
    q: {},
    r: { enum: ["a", "b"] },
  });
  assert.equal(session.limits?.["p"]?.problemOf("yes"), undefined);
  assert.match(session.limits?.["g"]?.problemOf("secret")?.message ?? "", /^must be one of "x", "y'z"$/);
  assert.equal(session.limits?.["i"]?.problemOf(-2), undefined);
  await session.close("stopped");
});

test("columns that the server fills are rejected, found by, or left to it", { skip }, async () => {
  await fresh(`CREATE TABLE t (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, other int GENERATED BY DEFAULT AS IDENTITY,
    twice int GENERATED ALWAYS AS (other * 2) STORED, value text NOT NULL)`);
  await assert.rejects(opened(["id", "value"]), failsWith("TARGET_MISMATCH", { where: "id" }));
  await assert.rejects(
    opened(["twice", "value"], { strategy: "insert", mergeKeys: undefined }),
    failsWith("TARGET_MISMATCH", { where: "twice" }),
  );
  const inserting = await opened(["value"], { strategy: "insert", mergeKeys: undefined });
  await writeAll(inserting, { value: "a" }, { value: "b" });
  await inserting.close("completed");
  const updating = await opened(["id", "value"], { strategy: "update" });
  await writeAll(updating, { id: 2, value: "c" });
  await updating.close("completed");
  assert.deepEqual(await database.run("SELECT * FROM t ORDER BY id"), [
    { id: 1, other: 1, twice: 2, value: "a" },
    { id: 2, other: 2, twice: 4, value: "c" },
  ]);
});

test("names are as in SQL: in lower case without quotes, with a schema or by the search path", { skip }, async () => {
  await fresh(
    `DROP SCHEMA IF EXISTS "Other S" CASCADE; CREATE SCHEMA "Other S"; CREATE TABLE "Other S"."T" ("ID" text PRIMARY KEY, "group" text)`,
  );
  const session = await opened(["ID", "group"], { targetTable: `"Other S"."T"` });
  await writeAll(session, { ID: "1", group: "g" });
  await session.close("completed");
  await assert.rejects(opened(["ID"], { targetTable: "T" }), failsWith("TARGET_MISMATCH", { where: "public.t" }));
  const byPath = await opened(["ID", "group"], {
    targetTable: `"T"`,
    connectionString: urlWith('-c search_path="Other\\ S"'),
  });
  await writeAll(byPath, { ID: "2", group: "h" });
  await byPath.close("completed");
  await database.run(`CREATE TABLE visits (id text PRIMARY KEY, visit text)`);
  const folded = await opened(["ID", "Visit"], { targetTable: "Visits" });
  await writeAll(folded, { ID: "1", Visit: "x" });
  await folded.close("completed");
  assert.deepEqual(await database.run("SELECT * FROM visits"), [{ id: "1", visit: "x" }]);
  assert.deepEqual(await database.run(`SELECT "ID" FROM "Other S"."T" ORDER BY 1`), [{ ID: "1" }, { ID: "2" }]);
});

test("views take what their triggers take, and no merge", { skip }, async () => {
  await fresh(`CREATE TABLE base (id text, value text); CREATE VIEW t AS SELECT id, upper(value) AS value FROM base;
    CREATE FUNCTION put() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO base VALUES (NEW.id, NEW.value); RETURN NEW; END $$;
    CREATE TRIGGER put INSTEAD OF INSERT ON t FOR EACH ROW EXECUTE FUNCTION put()`);
  const session = await opened(["id", "value"], { strategy: "insert", mergeKeys: undefined });
  await writeAll(session, { id: "1", value: "x" });
  await session.close("completed");
  assert.deepEqual(await database.run("SELECT * FROM t"), [{ id: "1", value: "X" }]);
  await assert.rejects(opened(["id", "value"]), failsWith("TARGET_MISMATCH", { where: "public.t" }));
});

const faults: readonly (readonly [name: string, sql: string, value: unknown, facts: ErrorFacts])[] = [
  ["a foreign key", "REFERENCES other (id)", "secret", { errorStates: ["23503"], where: "t_value_fkey" }],
  ["a unique key", "UNIQUE", "taken", { errorStates: ["23505"], where: "t_value_key" }],
  ["a check", "CHECK (value <> 'secret')", "secret", { errorStates: ["23514"] }],
  [
    "a deferred foreign key",
    "REFERENCES other (id) DEFERRABLE INITIALLY DEFERRED",
    "secret",
    { errorStates: ["23503"] },
  ],
];

test(
  "a row that the server rejects is a row error with its constraint, and without its content",
  { skip },
  async () => {
    for (const [name, sql, value, facts] of faults) {
      await fresh(`CREATE TABLE other (id text PRIMARY KEY); INSERT INTO other VALUES ('taken'); CREATE TABLE t (id text PRIMARY KEY, value text ${sql});
      INSERT INTO t VALUES ('first', 'taken')`);
      const session = await opened(["id", "value"]);
      const fails = (error: Error): boolean =>
        failsWith("SINK_DATA_REFUSED", facts)(error) && !error.message.includes("secret");
      await assert.rejects(
        session.write(
          groupsOf([
            { id: "1", value: null },
            { id: "2", value },
          ]),
        ),
        fails,
        name,
      );
      await session.close("stopped");
      assert.equal((await database.run("SELECT FROM t")).length, 1, name);
    }
  },
);

test(
  "a trigger's own error, a row that it drops, a policy and a generated column fail the row alone",
  { skip },
  async () => {
    const trigger = (body: string): string => `CREATE TABLE t (id text PRIMARY KEY, value text);
    CREATE FUNCTION guard() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.value = 'bad' THEN ${body} END IF; RETURN NEW; END $$;
    CREATE TRIGGER guard BEFORE INSERT OR UPDATE ON t FOR EACH ROW EXECUTE FUNCTION guard()`;
    const tables = [
      trigger("RAISE EXCEPTION 'bad one';"),
      trigger("RAISE EXCEPTION 'bad one' USING ERRCODE = 'MY001';"),
      trigger("RETURN NULL;"),
      "CREATE TABLE t (id text PRIMARY KEY, value text, n int GENERATED ALWAYS AS (1 / (length(value) - 3)) STORED)",
    ];
    for (const sql of tables) {
      await fresh(sql);
      const session = await opened(["id", "value"]);
      await writeAll(session, { id: "1", value: "good" });
      for (const id of ["1", "2"]) {
        await assert.rejects(
          session.write(
            groupsOf([
              { id: "3", value: "good" },
              { id, value: "bad" },
            ]),
          ),
          failsWith("SINK_DATA_REFUSED"),
          sql,
        );
      }
      await session.close("stopped");
      assert.deepEqual(await database.run("SELECT id, value FROM t"), [{ id: "1", value: "good" }]);
    }
  },
);

test("lacking permissions are told before the first row, and a row policy's no is a row error", { skip }, async () => {
  await fresh(`DROP ROLE IF EXISTS writer_of_tests; CREATE ROLE writer_of_tests LOGIN; GRANT USAGE ON SCHEMA public TO writer_of_tests;
    CREATE TABLE t (id text PRIMARY KEY, value text); GRANT SELECT, INSERT ON t TO writer_of_tests`);
  const url = new URL(database.url());
  url.username = "writer_of_tests";
  const connectionString = url.href;
  await database.run("CREATE SCHEMA IF NOT EXISTS hidden; CREATE TABLE IF NOT EXISTS hidden.t (id text PRIMARY KEY)");
  const inHidden = opened(["id"], { connectionString, targetTable: "hidden.t" });
  await assert.rejects(inHidden, failsWith("SINK_FAILED", { hint: "GRANT USAGE ON SCHEMA … TO the user" }));
  await assert.rejects(
    opened(["id", "value"], { connectionString }),
    failsWith("TARGET_MISMATCH", { where: "public.t" }),
  );
  await database.run(`GRANT UPDATE ON t TO writer_of_tests; ALTER TABLE t ENABLE ROW LEVEL SECURITY;
    CREATE POLICY p ON t USING (true) WITH CHECK (value = 'good'); REVOKE TEMPORARY ON DATABASE ${database.name} FROM PUBLIC`);
  await assert.rejects(
    opened(["id", "value"], { connectionString }),
    (error: Error) =>
      failsWith("SINK_FAILED", { errorStates: ["42501"] })(error) && /GRANT TEMPORARY/.test(error.message),
  );
  await database.run(`GRANT TEMPORARY ON DATABASE ${database.name} TO writer_of_tests`);
  const session = await opened(["id", "value"], { connectionString });
  await writeAll(session, { id: "1", value: "good" });
  await assert.rejects(session.write(groupsOf([{ id: "2", value: "bad" }])), failsWith("SINK_DATA_REFUSED"));
  await session.close("completed");
  await fresh("");
  await database.run(
    `REVOKE ALL ON DATABASE ${database.name} FROM writer_of_tests; GRANT TEMPORARY ON DATABASE ${database.name} TO PUBLIC; DROP ROLE writer_of_tests`,
  );
});

test("keys that the server holds equal are one key: numbers, citext, filled texts", { skip }, async () => {
  await fresh("CREATE EXTENSION IF NOT EXISTS citext SCHEMA public");
  for (const [type, one, other] of [
    ["numeric", "1.50", 1.5],
    ["citext", "Key", "kEY"],
    ["char(5)", "a", "a  "],
    ["double precision", 100, "1e2"],
  ] as const) {
    await database.run(`DROP TABLE IF EXISTS t; CREATE TABLE t (id ${type} PRIMARY KEY, value text)`);
    const session = await opened(["id", "value"]);
    const rows = [
      { id: one, value: "1" },
      { id: other, value: "2" },
    ];
    assert.equal(session.keyOf?.({ id: one }), session.keyOf?.({ id: other }), type);
    for (const row of rows) session.check?.(row);
    await assert.rejects(session.write(groupsOf(rows)), failsWith("SINK_DATA_REFUSED", { where: ["id"] }), type);
    await session.write(groupsOf(rows.slice(0, 1)));
    await assert.rejects(
      session.write(groupsOf(rows.slice(1))),
      failsWith("SINK_DATA_REFUSED", { where: ["id"] }),
      type,
    );
    await session.close("completed");
    assert.deepEqual(await database.run("SELECT value FROM t"), [{ value: "1" }], type);
  }
});

test("a table that is dropped midway ends the run, and a lock of another is waited for", { skip }, async () => {
  await fresh("CREATE TABLE t (id text PRIMARY KEY, value text)");
  const session = await opened(["id", "value"]);
  await database.run("BEGIN; LOCK TABLE t");
  const writing = writeAll(session, { id: "1", value: "x" });
  await database.run("SELECT pg_sleep(0.2); COMMIT");
  await writing;
  assert.equal((await database.run("SELECT FROM t")).length, 1);
  await database.run("DROP TABLE t");
  await assert.rejects(
    session.write(groupsOf([{ id: "2", value: "x" }])),
    failsWith("SINK_FAILED", { errorStates: ["42P01"] }),
  );
  await session.close("stopped");
});

const unreadable: readonly (readonly [type: string, good: string, bad: string])[] = [
  ["tsquery", "a & b", "a b"],
  ["jsonpath", "$.a", "a b"],
  ["regclass", "pg_class", "no_such"],
  ["hstore", "a=>1", "a="],
  ["ltree", "a.b", "a b..c"],
  ["jsonb", "{}", String.raw`"\ud800"`],
  ["checked", "good", "bad"],
];

test(
  "a value that its type can't read is a row error with its column, whatever the type calls it",
  { skip },
  async () => {
    await fresh(`CREATE EXTENSION IF NOT EXISTS hstore; CREATE EXTENSION IF NOT EXISTS ltree;
    CREATE FUNCTION check_it(text) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN IF $1 = 'bad' THEN RAISE no_data_found; END IF; RETURN true; END $$;
    CREATE DOMAIN checked AS text CHECK (check_it(VALUE))`);
    for (const [type, good, bad] of unreadable) {
      await database.run(`DROP TABLE IF EXISTS t; CREATE TABLE t (id text PRIMARY KEY, "a value" ${type})`);
      const session = await opened(["id", "a value"]);
      await writeAll(session, { id: "1", "a value": good });
      const writing = session.write(groupsOf([{ id: "2", "a value": bad }]));
      await assert.rejects(writing, failsWith("SINK_DATA_REFUSED", { where: "a value" }), type);
      await session.close("completed");
    }
  },
);

test("a trigger that skips an update fails the row, but for one that holds the same already", { skip }, async () => {
  const table = `CREATE TABLE t (id text PRIMARY KEY, value json); INSERT INTO t VALUES ('1', '{}'), ('2', NULL), ('3', '[]');
    CREATE TRIGGER skip BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION`;
  for (const strategy of ["merge", "update"] as const) {
    await fresh(`${table} suppress_redundant_updates_trigger()`);
    const same = await opened(["id", "value"], { strategy });
    await writeAll(same, { id: "1", value: {} }, { id: "2", value: null }, { id: "3", value: [1] });
    await same.close("completed");
    await fresh(
      `CREATE FUNCTION never() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'; ${table} never()`,
    );
    const other = await opened(["id", "value"], { strategy });
    const writing = other.write(groupsOf([{ id: "1", value: [2] }]));
    await assert.rejects(writing, failsWith("SINK_DATA_REFUSED", { where: "public.t", expected: 1, got: 0 }));
    await other.close("stopped");
  }
});

test("keys of an extension's type are compared by its own operators, whatever the search path", { skip }, async () => {
  for (const type of ["citext", "ltree"]) {
    await fresh(
      `CREATE EXTENSION ${type}; CREATE TABLE t (id ${type} PRIMARY KEY, value text); INSERT INTO t VALUES ('Key', '0')`,
    );
    const connectionString = urlWith('-c search_path=""');
    for (const strategy of ["merge", "update"] as const) {
      const options = { strategy, targetTable: "public.t", connectionString };
      const session = await opened(["id", "value"], options);
      const row = { id: type === "citext" ? "kEY" : "Key", value: strategy };
      await writeAll(session, row);
      assert.equal(await session.holds?.(row), true);
      await session.close("completed");
      assert.deepEqual(await database.run("SELECT value FROM t"), [{ value: strategy }]);
    }
  }
});

test(
  "an index that holds other texts equal than its column, or ranges that overlap, is no merge key",
  { skip },
  async () => {
    await fresh(`CREATE EXTENSION IF NOT EXISTS btree_gist; CREATE COLLATION any_case (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
    CREATE TABLE t (id text NOT NULL, value text); CREATE UNIQUE INDEX ON t (id COLLATE any_case);
    CREATE TABLE spans (id int, span int4range, value text, PRIMARY KEY (id, span WITHOUT OVERLAPS));
    CREATE TABLE excluded (id text NOT NULL, value text); CREATE UNIQUE INDEX ON excluded (id COLLATE "C")`);
    await assert.rejects(opened(["id", "value"]), failsWith("TARGET_MISMATCH", { where: ["id"] }));
    const spans = opened(["id", "span", "value"], { targetTable: "spans", mergeKeys: ["id", "span"] });
    await assert.rejects(spans, failsWith("TARGET_MISMATCH", { where: ["id", "span"] }));
    const session = await opened(["id", "value"], { targetTable: "excluded" });
    await writeAll(session, { id: "a", value: "1" }, { id: "A", value: "2" });
    await session.close("completed");
    assert.equal((await database.run("SELECT FROM excluded")).length, 2);
  },
);

test("a lock of another is waited for in bounds, also where the table is looked at", { skip }, async () => {
  await fresh("CREATE TABLE t (id text PRIMARY KEY, value text)");
  await database.run("BEGIN; LOCK TABLE t");
  const inVain = opened(["id", "value"], { sinkTimeoutMs: 500 });
  await assert.rejects(inVain, failsWith("SINK_FAILED", { errorStates: ["55P03"] }));
  await database.run("COMMIT");
});

test("a lock that lasts longer than the server lets a statement or a transaction is waited for", { skip }, async () => {
  for (const limit of ["statement_timeout", "transaction_timeout"]) {
    await fresh("CREATE TABLE t (id text PRIMARY KEY, value text)");
    await database.run("BEGIN; LOCK TABLE t");
    const opening = opened(["id", "value"], { connectionString: urlWith(`-c ${limit}=1000`) });
    await database.run("SELECT pg_sleep(1.2); COMMIT");
    const session = await opening;
    await database.run("BEGIN; LOCK TABLE t");
    const writing = writeAll(session, { id: "1", value: "x" });
    await database.run("SELECT pg_sleep(1.2); COMMIT");
    await writing;
    await session.close("completed");
  }
});

test("a row whose merge key a trigger changes fails: it would overwrite another one", { skip }, async () => {
  await fresh(`CREATE TABLE t (id text PRIMARY KEY, value text);
    CREATE FUNCTION lower_it() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.id := lower(NEW.id); RETURN NEW; END';
    CREATE TRIGGER lower_it BEFORE INSERT OR UPDATE ON t FOR EACH ROW EXECUTE FUNCTION lower_it()`);
  const session = await opened(["id", "value"]);
  await writeAll(session, { id: "a", value: "1" }, { id: "b", value: "1" });
  const writing = session.write(groupsOf([{ id: "A", value: "2" }]));
  await assert.rejects(writing, failsWith("SINK_DATA_REFUSED", { where: "public.t" }));
  await session.close("completed");
  assert.deepEqual(await database.run("SELECT DISTINCT value FROM t"), [{ value: "1" }]);
});

test("an error of what a trigger does is not told as one of the table", { skip }, async () => {
  await fresh(`CREATE TABLE t (id text PRIMARY KEY);
    CREATE FUNCTION audit() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO gone VALUES (1); RETURN NEW; END';
    CREATE TRIGGER audit BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION audit()`);
  const session = await opened(["id"]);
  const writing = session.write(groupsOf([{ id: "1" }]));
  await assert.rejects(
    writing,
    (error: Error) => failsWith("SINK_FAILED", { errorStates: ["42P01"] })(error) && /trigger/.test(error.message),
  );
  await session.close("stopped");
});

test("options that no target could have are rejected at construction", () => {
  const good: PostgreSQLSinkOptions<never, "id"> = {
    connectionString: "postgresql://localhost/x",
    targetTable: "t",
    mergeKeys: ["id"],
    columnMap: { id: () => 1 },
  };
  assert.equal(new PostgreSQLSink(good).identity, "localhost/x/public.t");
  const wrong: readonly (readonly [object, ErrorFacts])[] = [
    [{ targetTable: "a.b.c" }, { where: "targetTable" }],
    [{ targetTable: "a; DROP TABLE b" }, { where: "targetTable" }],
    [{ targetTable: "a." }, { where: "targetTable" }],
    [{ targetTable: `"${"x".repeat(64)}"` }, { where: "targetTable" }],
    [{ strategy: "upsert" }, { where: "strategy" }],
    [{ mergeKeys: [] }, { where: "mergeKeys" }],
    [{ connectionString: "mysql://x" }, { where: "connectionString" }],
  ];
  for (const [options, facts] of wrong) {
    assert.throws(() => constructPostgreSQLSink({ ...good, ...options }), failsWith("INVALID_OPTION", facts));
  }
});
