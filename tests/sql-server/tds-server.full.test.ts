// Full lane: four seconds of CPU for the server of the tests, of which language and store are frozen.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { describe, test, type TestContext } from "node:test";
import mssql from "mssql";
import { resultSet, startSQLServer, type SQLServer, type SQLServerOptions } from "../support/sql-server.ts";

// The server of these tests stands in for SQL Server in all others: here the driver itself says whether it speaks TDS right.

interface Started {
  readonly server: SQLServer;
  readonly pool: mssql.ConnectionPool;
}

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await delay(5);
}

async function start(
  t: TestContext,
  options: SQLServerOptions = {},
  config: Partial<mssql.config> = {},
): Promise<Started> {
  const server = await startSQLServer(options, t);
  return { server, pool: await connect(t, server, config) };
}

async function connect(
  t: TestContext,
  server: SQLServer,
  config: Partial<mssql.config> = {},
): Promise<mssql.ConnectionPool> {
  const pool = new mssql.ConnectionPool({ ...server.config, validateConnection: false, ...config });
  pool.on("error", () => undefined);
  await pool.connect();
  t.after(() => pool.close());
  return pool;
}

/** What the driver says of a request that fails: the number, and the text. */
async function failure(
  promise: Promise<unknown>,
): Promise<{ number: number | undefined; code: string | undefined; message: string }> {
  try {
    await promise;
  } catch (error) {
    assert.ok(error instanceof Error);
    const { number, code } = error as Error & { number?: number; code?: string }; // the driver adds these two
    return { number, code, message: error.message };
  }
  return assert.fail("nothing was refused");
}

const number = async (promise: Promise<unknown>): Promise<number | undefined> => (await failure(promise)).number;

const visits = `
  CREATE TABLE dbo.visits (
    id nvarchar(20) NOT NULL CONSTRAINT PK_visits PRIMARY KEY,
    label nvarchar(10) NULL,
    score decimal(3,2) NULL CONSTRAINT CK_score CHECK (score >= 0),
    note varchar(max) NULL
  );`;

describe("login", () => {
  test("goes through TLS inside of TDS, and says who logs in", async (t) => {
    const { server } = await start(
      t,
      {},
      { options: { encrypt: true, trustServerCertificate: true, appName: "llm-etl", readOnlyIntent: true } },
    );
    const [login] = server.logins;
    assert.equal(login?.encrypted, true);
    assert.equal(login?.applicationName, "llm-etl");
    assert.equal(login?.database, "clinic");
    assert.equal(login?.user, "etl");
    assert.equal(login?.readOnlyIntent, true);
  });

  test("goes without TLS where the client wants none", async (t) => {
    const { server, pool } = await start(t, {}, { options: { encrypt: false } });
    assert.equal(server.logins[0]?.encrypted, false);
    assert.deepEqual((await pool.request().query("SELECT 1 AS one")).recordset, [{ one: 1 }]);
  });

  test("goes through TLS from the first byte where the client is strict, and trusts only a certificate that it knows", async (t) => {
    const server = await startSQLServer({}, t);
    const ca = readFileSync(new URL("../fixtures/tls/certificate.pem", import.meta.url), "utf8");
    const strict = (details: object) => ({
      encrypt: "strict",
      trustServerCertificate: false,
      cryptoCredentialsDetails: details,
    });
    // The driver takes "strict", its types know only true and false.
    const config = (details: object) => ({ options: strict(details) }) as unknown as Partial<mssql.config>;
    await connect(t, server, config({ ca }));
    assert.equal(server.logins[0]?.encrypted, true);
    const { message } = await failure(new mssql.ConnectionPool({ ...server.config, ...config({}) }).connect());
    assert.match(message, /self-signed certificate/u);
  });

  test("is refused for a wrong password, an unknown database, and by a fault that then passes", async (t) => {
    const server = await startSQLServer({}, t);
    const attempt = async (config: Partial<mssql.config>) => {
      const pool = new mssql.ConnectionPool({ ...server.config, ...config });
      const { code, message } = await failure(pool.connect());
      assert.equal(code, "ELOGIN");
      return message;
    };
    assert.match(await attempt({ password: "wrong" }), /Login failed for user 'etl'/u);
    assert.match(await attempt({ database: "nowhere" }), /Cannot open database "nowhere"/u);
    server.faults.refuseLogin(18_456);
    assert.match(await attempt({}), /Login failed/u);
    await connect(t, server);
  });

  test("takes an access token, with the login or fetched after it", async (t) => {
    const server = await startSQLServer({ accessToken: "a token" }, t);
    const withToken = (token: string) => ({ type: "azure-active-directory-access-token" as const, options: { token } });
    await connect(t, server, { authentication: withToken("a token") });
    assert.equal(server.logins[0]?.accessToken, "a token");
    assert.equal(
      (await failure(new mssql.ConnectionPool({ ...server.config, authentication: withToken("another") }).connect()))
        .code,
      "ELOGIN",
    );
    const credential = { getToken: () => Promise.resolve({ token: "a token", expiresOnTimestamp: 0 }) };
    // The driver takes this kind, its types do not know it.
    const authentication = { type: "token-credential", options: { credential } } as unknown as NonNullable<
      mssql.config["authentication"]
    >;
    await connect(t, server, { authentication });
    assert.equal(server.logins.at(-1)?.federated, "library");
  });
});

describe("types", () => {
  const uuid = "0E984725-C51C-4BF4-9960-E1C80E27ABA0";
  const cells: readonly (readonly [type: string, stored: unknown, read: unknown])[] = [
    ["tinyint", 255, 255],
    ["smallint", -32_768, -32_768],
    ["int", 2_147_483_647, 2_147_483_647],
    ["bigint", -(2n ** 63n), "-9223372036854775808"],
    ["bit", true, true],
    ["decimal(38,10)", "-12345.0123456789", -12_345.012_345_678_9],
    ["decimal(5,2)", "999.99", 999.99],
    ["numeric(19,0)", "123456", 123_456],
    ["decimal(28,3)", "-0.001", -0.001],
    ["money", "-922337203685.4775", -922_337_203_685.477_5],
    ["smallmoney", "214748.3647", 214_748.3647],
    ["real", 0.5, 0.5],
    ["float", 1e300, 1e300],
    ["char(5)", "ab", "ab   "],
    ["varchar(20)", "naïve €", "naïve €"],
    ["varchar(max)", "x".repeat(20_000), "x".repeat(20_000)],
    ["varchar(20) COLLATE Latin1_General_100_CI_AS_SC_UTF8", "日本", "日本"],
    ["nchar(3)", "é", "é  "],
    ["nvarchar(20)", "日本 🎉", "日本 🎉"],
    ["nvarchar(max)", "日".repeat(100_000), "日".repeat(100_000)],
    ["nvarchar(max)", "", ""],
    ["text", "old", "old"],
    ["ntext", "old 日", "old 日"],
    ["image", Buffer.from([1, 2]), Buffer.from([1, 2])],
    ["binary(4)", Buffer.from([1]), Buffer.from([1, 0, 0, 0])],
    ["varbinary(10)", Buffer.from([0, 255]), Buffer.from([0, 255])],
    ["varbinary(max)", Buffer.alloc(9000, 7), Buffer.alloc(9000, 7)],
    ["date", "2024-02-29", new Date("2024-02-29T00:00:00Z")],
    ["date", "0001-01-01", new Date("0001-01-01T00:00:00Z")],
    ["time(7)", "23:59:59.1230000", new Date("1970-01-01T23:59:59.123Z")],
    ["time(0)", "01:02:03", new Date("1970-01-01T01:02:03Z")],
    ["datetime", "1753-01-01 00:00:00.003", new Date("1753-01-01T00:00:00.003Z")],
    ["smalldatetime", "2079-06-06 23:59:00", new Date("2079-06-06T23:59:00Z")],
    ["datetime2(7)", "9999-12-31 23:59:59.9990000", new Date("9999-12-31T23:59:59.999Z")],
    ["datetime2(3)", "2024-01-02 03:04:05.678", new Date("2024-01-02T03:04:05.678Z")],
    ["datetimeoffset(7)", "2024-01-02 00:30:00.0000000 +05:30", new Date("2024-01-01T19:00:00Z")],
    ["uniqueidentifier", uuid, uuid],
    ["xml", "<a>ü</a>", "<a>ü</a>"],
  ];

  for (const [declared, stored, read] of cells) {
    const shown =
      typeof stored === "string"
        ? stored.slice(0, 20)
        : Buffer.isBuffer(stored)
          ? `${stored.length} bytes`
          : String(stored);
    test(`${declared} is read as it was stored: ${shown}`, async (t) => {
      const sql = `CREATE TABLE t (given ${declared} NOT NULL, optional ${declared} NULL, empty ${declared} NULL)`;
      const { server, pool } = await start(t, { sql });
      server.table("t").insert([{ given: stored, optional: stored, empty: null }]);
      const [row] = (await pool.request().query<Record<string, unknown>>("SELECT * FROM t")).recordset;
      for (const name of ["given", "optional"]) {
        const value = row?.[name];
        assert.deepEqual(value instanceof Date ? new Date(value.getTime()) : value, read);
      }
      assert.equal(row?.["empty"], null);
    });
  }

  test("100 ns come as the driver's nanosecondsDelta", async (t) => {
    const { pool } = await start(t);
    const { recordset } = await pool
      .request()
      .query<{ at: Date & { nanosecondsDelta: number } }>(
        "SELECT CAST('2024-01-02 03:04:05.1234567' AS datetime2(7)) AS at",
      );
    assert.equal(recordset[0]?.at.toISOString(), "2024-01-02T03:04:05.123Z");
    assert.equal(recordset[0]?.at.nanosecondsDelta.toFixed(7), "0.0004567");
  });

  test("sql_variant and the types of assemblies come with their names", async (t) => {
    const { server, pool } = await start(t, {
      sql: "CREATE TABLE t (id int NOT NULL, v sql_variant, place geography, node hierarchyid)",
    });
    const variants = [
      [{ type: { name: "int" }, value: 5 }, 5],
      [{ type: { name: "nvarchar", length: 10 }, value: "日" }, "日"],
      [{ type: { name: "varchar", length: 10 }, value: "é" }, "é"],
      [{ type: { name: "decimal", precision: 5, scale: 2 }, value: "1.50" }, 1.5],
      [{ type: { name: "datetime2", scale: 3 }, value: "2024-01-02 00:00:00.000" }, new Date("2024-01-02T00:00:00Z")],
      [{ type: { name: "varbinary", length: 10 }, value: Buffer.from([1]) }, Buffer.from([1])],
      [null, null],
    ] as const;
    server.table("t").insert(variants.map(([v], id) => ({ id, v, place: null, node: Buffer.from([0x58]) })));
    const { recordset } = await pool.request().query<{ v: unknown; node: unknown }>("SELECT * FROM t ORDER BY id");
    assert.deepEqual(
      recordset.map(({ v }) => (v instanceof Date ? new Date(v.getTime()) : v)),
      variants.map(([, read]) => read),
    );
    assert.deepEqual(recordset[0]?.node, Buffer.from([0x58]));
    assert.equal(recordset.columns["place"]?.udt?.name, "geography");
  });

  test("a column tells its length, precision, NULLs and identity", async (t) => {
    const { pool } = await start(t, {
      sql: "CREATE TABLE t (id int IDENTITY(1,1) NOT NULL, a nvarchar(7) NULL, b decimal(9,4) NOT NULL)",
    });
    const { recordset } = await pool.request().query("SELECT * FROM t");
    const { id, a, b } = recordset.columns;
    assert.equal(id?.identity, true);
    assert.deepEqual([a?.length, a?.nullable], [14, true]);
    assert.deepEqual([b?.precision, b?.scale, b?.nullable], [9, 4, false]);
  });

  test("parameters of every type arrive with their values", async (t) => {
    const { server, pool } = await start(t);
    const at = new Date("2024-01-02T03:04:05.678Z");
    const request = pool.request();
    request.input("tiny", mssql.TinyInt, 255).input("small", mssql.SmallInt, -5).input("int", mssql.Int, 7);
    request.input("big", mssql.BigInt, 9_007_199_254_740_993n as unknown as number).input("bit", mssql.Bit, true); // its types do not know bigint
    request
      .input("decimal", mssql.Decimal(10, 3), -1.25)
      .input("numeric", mssql.Numeric(30, 2), 5)
      .input("money", mssql.Money, -2.5);
    request
      .input("smallmoney", mssql.SmallMoney, 2.5)
      .input("real", mssql.Real, 0.25)
      .input("float", mssql.Float, 1e-300);
    request
      .input("char", mssql.Char(3), "a")
      .input("varchar", mssql.VarChar(50), "é€")
      .input("varcharmax", mssql.VarChar(mssql.MAX), "v");
    request
      .input("nchar", mssql.NChar(3), "b")
      .input("nvarchar", mssql.NVarChar(50), "日🎉")
      .input("nvarcharmax", mssql.NVarChar(mssql.MAX), "y".repeat(50_000));
    request
      .input("text", mssql.Text, "t")
      .input("binary", mssql.Binary, Buffer.from([1]))
      .input("varbinary", mssql.VarBinary(mssql.MAX), Buffer.alloc(9000, 3));
    request.input("date", mssql.Date, at).input("time", mssql.Time(3), at).input("datetime", mssql.DateTime, at);
    request
      .input("datetime2", mssql.DateTime2(3), at)
      .input("offset", mssql.DateTimeOffset(3), at)
      .input("guid", mssql.UniqueIdentifier, uuid);
    request
      .input("nothing", mssql.NVarChar(5), null)
      .input("nodate", mssql.DateTime2(7), null)
      .input("nomax", mssql.NVarChar(mssql.MAX), null);
    const { recordset } = await request.query<Record<string, unknown>>(
      "SELECT @nvarchar AS a, @big AS b, @nothing AS c",
    );
    assert.deepEqual(recordset, [{ a: "日🎉", b: "9007199254740993", c: null }]);
    const { char, nchar, nvarcharmax, ...rest } = server.statements[0]?.parameters ?? {};
    assert.deepEqual([char, nchar, typeof nvarcharmax === "string" && nvarcharmax.length], ["a", "b", 50_000]);
    assert.deepEqual(rest, {
      tiny: 255,
      small: -5,
      int: 7,
      big: 9_007_199_254_740_993n,
      bit: true,
      decimal: "-1.250",
      numeric: "5.00",
      money: "-2.5000",
      smallmoney: "2.5000",
      real: 0.25,
      float: 1e-300,
      varchar: "é€",
      varcharmax: "v",
      nvarchar: "日🎉",
      text: "t",
      binary: Buffer.from([1]),
      varbinary: Buffer.alloc(9000, 3),
      date: "2024-01-02",
      time: "03:04:05.678",
      datetime: "2024-01-02 03:04:05.677",
      datetime2: "2024-01-02 03:04:05.678",
      offset: "2024-01-02 03:04:05.678 +00:00",
      guid: uuid,
      nothing: null,
      nodate: null,
      nomax: null,
    });
  });
});

describe("statements", () => {
  test("names and literals with quotes, brackets and comments in them stay names and literals", async (t) => {
    const { pool } = await start(t, { sql: `CREATE TABLE [o]]d; DROP TABLE x--] ([a"b] nvarchar(50), "c""d" int)` });
    await pool
      .request()
      .input("p", "'; DROP TABLE t; --")
      .query(`INSERT INTO [o]]d; DROP TABLE x--] ("a""b", [c"d]) VALUES (@p, 1), (N'it''s /* no */ -- comment', 2)`);
    const { recordset } = await pool
      .request()
      .query(`SELECT "a""b" AS [x]]y] /* a /* nested */ comment */ FROM [dbo].[o]]d; DROP TABLE x--] -- the end`);
    assert.deepEqual(recordset, [{ "x]y": "'; DROP TABLE t; --" }, { "x]y": "it's /* no */ -- comment" }]);
  });

  test("prepared statements run again with other values", async (t) => {
    const { server, pool } = await start(t, { sql: visits });
    const statement = new mssql.PreparedStatement(pool);
    statement.input("id", mssql.NVarChar(20)).input("label", mssql.NVarChar(10));
    await statement.prepare("INSERT INTO dbo.visits (id, label) VALUES (@id, @label)");
    await statement.execute({ id: "1", label: "a" });
    await statement.execute({ id: "2", label: null });
    await statement.unprepare();
    assert.deepEqual(
      server
        .table("dbo.visits")
        .rows()
        .map(({ id, label }) => [id, label]),
      [
        ["1", "a"],
        ["2", null],
      ],
    );
    assert.deepEqual(
      server.statements.map(({ kind }) => kind),
      ["prepare", "prepared", "prepared"],
    );
  });

  test("a batch of several statements gives its result sets and counts", async (t) => {
    const { pool } = await start(t, { sql: visits });
    const batch =
      "INSERT INTO dbo.visits (id) VALUES (N'1'), (N'2'); SELECT COUNT(*) AS n FROM dbo.visits; SET NOCOUNT ON; DELETE FROM dbo.visits; SELECT @@ROWCOUNT AS deleted";
    const { recordsets, rowsAffected } = await pool.request().batch(batch);
    assert.deepEqual(recordsets, [[{ n: 2 }], [{ deleted: 2 }]]);
    assert.deepEqual(rowsAffected, [2, 1]);
  });

  test("queries page, join, group, nest and number their rows", async (t) => {
    const { pool } = await start(t, {
      sql: `CREATE TABLE a (id int NOT NULL PRIMARY KEY, g varchar(5)); CREATE TABLE b (id int NOT NULL, v int);
        INSERT INTO a VALUES (1, 'x'), (2, 'X'), (3, 'y'), (4, NULL); INSERT INTO b VALUES (1, 10), (1, 20), (3, 30);`,
    });
    const query = async (text: string) =>
      (await pool.request().query<Record<string, unknown>>(text)).recordset.map((row) => Object.values(row));
    assert.deepEqual(await query("SELECT TOP (2) id FROM a WHERE id > 1 ORDER BY id"), [[2], [3]]);
    assert.deepEqual(await query("SELECT q.id FROM (SELECT id, g FROM a) AS q WHERE q.g = 'Y'"), [[3]]);
    assert.deepEqual(
      await query(
        "WITH q AS (SELECT id, g FROM a) SELECT g, COUNT(*) AS n FROM q WHERE g IS NOT NULL GROUP BY g HAVING COUNT(*) > 1",
      ),
      [["x", 2]],
    );
    assert.deepEqual(
      await query("SELECT a.id, b.v FROM a LEFT JOIN b ON b.id = a.id AND b.v > 10 ORDER BY a.id DESC"),
      [
        [4, null],
        [3, 30],
        [2, null],
        [1, 20],
      ],
    );
    assert.deepEqual(await query("SELECT id FROM a WHERE NOT EXISTS (SELECT 1 FROM b WHERE b.id = a.id)"), [[2], [4]]);
    assert.deepEqual(await query("SELECT id FROM a WHERE EXISTS (SELECT a.g EXCEPT SELECT 'x')"), [[3], [4]]);
    assert.deepEqual(
      await query("SELECT id, ROW_NUMBER() OVER (PARTITION BY g ORDER BY id DESC) AS n FROM a ORDER BY id"),
      [
        [1, "2"],
        [2, "1"],
        [3, "1"],
        [4, "1"],
      ],
    );
    assert.deepEqual(await query("SELECT id FROM a ORDER BY id OFFSET 1 ROWS FETCH NEXT 2 ROWS ONLY"), [[2], [3]]);
    assert.deepEqual(
      await query("SELECT CASE WHEN id IN (1, 2) THEN N'low' ELSE N'high' END AS c FROM a WHERE id BETWEEN 2 AND 3"),
      [["low"], ["high"]],
    );
  });

  test("pages by key go on behind the key, in the order of its type and collation", async (t) => {
    const { server, pool } = await start(t, {
      sql: `CREATE TABLE words (k nvarchar(10) NOT NULL PRIMARY KEY, v int); INSERT INTO words VALUES (N'b', 1), (N'A', 2), (N'ä', 3), (N'C', 4);
        CREATE TABLE ids (k uniqueidentifier NOT NULL PRIMARY KEY);
        INSERT INTO ids VALUES ('FFFFFFFF-0000-0000-0000-000000000001'), ('00000000-0000-0000-0000-000000000002'), ('00000000-0000-0000-0001-000000000001');`,
    });
    const pages = async (table: string) => {
      const keys: string[] = [];
      for (;;) {
        const request = pool
          .request()
          .input("after", keys.at(-1) ?? null)
          .input("page_size", 2);
        const where = keys.length === 0 ? "" : "WHERE k > @after";
        const { recordset } = await request.query<{ k: string }>(
          `SELECT TOP (@page_size) k FROM ${table} ${where} ORDER BY k`,
        );
        if (recordset.length === 0) return keys;
        keys.push(...recordset.map(({ k }) => k));
        await server.run("UPDATE words SET v = v + 1");
      }
    };
    assert.deepEqual(await pages("words"), ["A", "ä", "b", "C"]);
    assert.deepEqual(
      (await pages("ids")).map((k) => k.slice(-6)),
      ["000001", "000001", "000002"],
    );
    await server.run("INSERT INTO words VALUES (N'aa', 0); DELETE FROM words WHERE k = N'b'");
    assert.deepEqual(await pages("words"), ["A", "ä", "aa", "C"]);
  });

  test("what is not understood is refused, and nothing of its batch is run", async (t) => {
    const { server, pool } = await start(t, { sql: visits });
    for (const text of [
      "INSERT INTO dbo.visits (id) VALUES ('1'); GRANT ALL TO me",
      "SELECT FROM dbo.visits",
      "INSERT INTO dbo.visits (id) VALUES ('1') GARBAGE x",
      "EXPLODE",
    ]) {
      const { number: refused, message } = await failure(pool.request().batch(text));
      assert.equal(refused, 102, text);
      assert.match(message, /^test server: statement not understood/u);
    }
    assert.equal(await number(pool.request().query("SELECT FROBNICATE(1)")), 195);
    assert.equal(await number(pool.request().query("SELECT 'open")), 105);
    assert.equal(await number(pool.request().query("SELECT * FROM nowhere")), 208);
    assert.equal(await number(pool.request().query("SELECT nothing FROM dbo.visits")), 207);
    assert.equal(await number(pool.request().execute("sp_nothing")), 2812);
    assert.deepEqual(server.table("dbo.visits").rows(), []);
  });

  test("a statement that the server is told to refuse is error 102", async (t) => {
    const { pool } = await start(t, { sql: visits, refuses: [/\bMERGE\b/iu] });
    assert.equal(
      await number(
        pool
          .request()
          .batch(
            "MERGE dbo.visits AS t USING (VALUES (N'1')) AS s (id) ON t.id = s.id WHEN NOT MATCHED THEN INSERT (id) VALUES (s.id);",
          ),
      ),
      102,
    );
  });

  test("sp_describe_first_result_set tells the columns of a query with parameters", async (t) => {
    const { pool } = await start(t, { sql: visits });
    const request = pool
      .request()
      .input("tsql", mssql.NVarChar(mssql.MAX), "SELECT id, score, label AS l, note FROM dbo.visits WHERE id > @after");
    const { recordset } = await request
      .input("params", mssql.NVarChar(mssql.MAX), "@after nvarchar(20)")
      .execute<Record<string, unknown>>("sp_describe_first_result_set");
    assert.deepEqual(
      recordset.map((row) => [
        row["name"],
        row["system_type_name"],
        row["max_length"],
        row["precision"],
        row["scale"],
        row["is_nullable"],
      ]),
      [
        ["id", "nvarchar(20)", 40, 0, 0, false],
        ["score", "decimal(3,2)", 5, 3, 2, true],
        ["l", "nvarchar(10)", 20, 0, 0, true],
        ["note", "varchar(max)", -1, 0, 0, true],
      ],
    );
  });

  test("the catalog is asked through its markers, and a test can answer what it likes", async (t) => {
    const { server, pool } = await start(t, { sql: `${visits} CREATE UNIQUE INDEX UX ON dbo.visits (label, score)` });
    const ask = async (text: string) =>
      (await pool.request().input("table", "[dbo].[visits]").query<Record<string, unknown>>(text)).recordset;
    const columns = await ask("SELECT whatever /* llm-etl:columns */");
    assert.deepEqual(
      columns.map((row) => [row["column_name"], row["full_type"], row["is_nullable"]]),
      [
        ["id", "nvarchar(20)", false],
        ["label", "nvarchar(10)", true],
        ["score", "decimal(3,2)", true],
        ["note", "varchar(max)", true],
      ],
    );
    const keys = await ask("/* llm-etl:keys */");
    assert.deepEqual(
      keys.map((row) => [row["index_name"], row["is_primary_key"], row["column_name"]]),
      [
        ["PK_visits", true, "id"],
        ["UX", false, "label"],
        ["UX", false, "score"],
      ],
    );
    assert.equal((await ask("/* llm-etl:server */"))[0]?.["product_version"], "16.0.4105.2");
    server.on(/sys\.triggers/u, ({ parameters }) => [
      resultSet({ name: { name: "nvarchar", length: 100 } }, [[parameters["table"] ?? null]]),
    ]);
    assert.deepEqual(await ask("SELECT name FROM sys.triggers"), [{ name: "[dbo].[visits]" }]);
  });
});

/** A staging table, filled by bulk load, in a transaction. */
async function stage(
  transaction: mssql.Transaction,
  rows: readonly (readonly [string, string | null, number | null, string | null])[],
): Promise<void> {
  await transaction
    .request()
    .batch("DROP TABLE IF EXISTS #stage; SELECT TOP (0) id, label, score, note INTO #stage FROM dbo.visits");
  const table = new mssql.Table("#stage");
  table.columns.add("id", mssql.NVarChar(20), { nullable: false });
  table.columns.add("label", mssql.NVarChar(10), { nullable: true });
  table.columns.add("score", mssql.Decimal(3, 2), { nullable: true });
  table.columns.add("note", mssql.VarChar(mssql.MAX), { nullable: true });
  for (const row of rows) table.rows.add(...row);
  await transaction.request().bulk(table);
}

const merge = `MERGE INTO [dbo].[visits] WITH (HOLDLOCK) AS t USING #stage AS s ON t.id = s.id
  WHEN MATCHED THEN UPDATE SET t.label = s.label, t.score = s.score
  WHEN NOT MATCHED BY TARGET THEN INSERT (id, label, score, note) VALUES (s.id, s.label, s.score, s.note);`;
const updateInsert = `UPDATE t SET t.label = s.label, t.score = s.score FROM [dbo].[visits] AS t WITH (UPDLOCK, SERIALIZABLE) INNER JOIN #stage AS s ON t.id = s.id;
  INSERT INTO [dbo].[visits] (id, label, score, note) SELECT s.id, s.label, s.score, s.note FROM #stage AS s
    WHERE NOT EXISTS (SELECT 1 FROM [dbo].[visits] AS t WITH (UPDLOCK, SERIALIZABLE) WHERE t.id = s.id);`;

describe("writing", () => {
  for (const [strategy, statement, counts] of [
    ["MERGE", merge, [3]],
    ["UPDATE and INSERT", updateInsert, [1, 2]],
  ] as const) {
    test(`bulk rows in a #temp table are upserted by ${strategy}, keys compared as the collation does`, async (t) => {
      const { server, pool } = await start(t, {
        sql: `${visits} INSERT INTO dbo.visits VALUES (N'A', N'old', 0.5, 'kept')`,
      });
      const transaction = pool.transaction();
      await transaction.begin();
      await stage(transaction, [
        ["a", "new", 1, "unused"],
        ["b", null, null, "ü€"],
        ["c", "日", 0.125, null],
      ]);
      const { rowsAffected } = await transaction.request().batch(statement);
      await transaction.commit();
      assert.deepEqual(rowsAffected, counts);
      assert.deepEqual(server.table("dbo.visits").rows(), [
        { id: "A", label: "new", score: "1.00", note: "kept" },
        { id: "b", label: null, score: null, note: "ü€" },
        { id: "c", label: "日", score: "0.13", note: null },
      ]);
      assert.deepEqual(
        server.statements.map(({ kind }) => kind),
        ["transaction", "batch", "batch", "bulk", "batch", "transaction"],
      );
    });
  }

  test("OUTPUT says what MERGE did, and is refused where there are triggers", async (t) => {
    const { server, pool } = await start(t, { sql: `${visits} INSERT INTO dbo.visits (id) VALUES (N'a')` });
    const text =
      "MERGE dbo.visits AS t USING (VALUES (N'a'), (N'b')) AS s (id) ON t.id = s.id WHEN MATCHED THEN UPDATE SET label = N'x' WHEN NOT MATCHED THEN INSERT (id) VALUES (s.id) OUTPUT $action, inserted.id, deleted.label AS was;";
    const { recordset } = await pool.request().query(text);
    assert.deepEqual(recordset, [
      { $action: "UPDATE", id: "a", was: null },
      { $action: "INSERT", id: "b", was: null },
    ]);
    server.table("dbo.visits").configure({ triggers: true });
    assert.equal(await number(pool.request().query(text)), 334);
  });

  test("MERGE that meets a row twice is error 8672, and one without a semicolon 10713", async (t) => {
    const { pool } = await start(t, { sql: `${visits} INSERT INTO dbo.visits (id) VALUES (N'a')` });
    const text =
      "MERGE dbo.visits AS t USING (VALUES (N'a'), (N'A')) AS s (id) ON t.id = s.id WHEN MATCHED THEN UPDATE SET label = N'x'";
    assert.equal(await number(pool.request().query(`${text};`)), 8672);
    assert.equal(await number(pool.request().query(text)), 10_713);
  });

  test("a transaction that is rolled back leaves nothing, not even its #temp table", async (t) => {
    const { server, pool } = await start(t, {
      sql: `${visits} INSERT INTO dbo.visits (id, label) VALUES (N'a', N'old')`,
    });
    const transaction = pool.transaction();
    await transaction.begin();
    await stage(transaction, [
      ["a", "new", null, null],
      ["b", null, null, null],
    ]);
    await transaction.request().batch(merge);
    await transaction.request().batch("DELETE FROM dbo.visits WHERE id = N'a'");
    await transaction.rollback();
    assert.deepEqual(
      server
        .table("dbo.visits")
        .rows()
        .map(({ id, label }) => [id, label]),
      [["a", "old"]],
    );
    const again = pool.transaction();
    await again.begin();
    await stage(again, []);
    await again.commit();
  });

  test("savepoints take back what came after them", async (t) => {
    const { server, pool } = await start(t, { sql: visits });
    await pool
      .request()
      .batch(
        "BEGIN TRANSACTION; INSERT INTO dbo.visits (id) VALUES ('1'); SAVE TRANSACTION s; INSERT INTO dbo.visits (id) VALUES ('2'); ROLLBACK TRANSACTION s; COMMIT",
      );
    assert.deepEqual(
      server
        .table("dbo.visits")
        .rows()
        .map(({ id }) => id),
      ["1"],
    );
  });

  const refusals: readonly (readonly [what: string, sql: string, number: number])[] = [
    ["a duplicate primary key", "INSERT INTO dbo.visits (id) VALUES (N'b'), (N'A ')", 2627],
    ["a duplicate in a unique index", "INSERT INTO u (k) VALUES (1), (1)", 2601],
    ["NULL in a column that is NOT NULL", "INSERT INTO dbo.visits (id) VALUES (NULL)", 515],
    ["a column without a value or default", "INSERT INTO dbo.visits (label) VALUES (N'x')", 515],
    ["text that is too long", "INSERT INTO dbo.visits (id, label) VALUES (N'b', N'12345678901')", 2628],
    ["a CHECK", "UPDATE dbo.visits SET score = -1", 547],
    ["a decimal that is too large", "UPDATE dbo.visits SET score = 10", 8115],
    ["text that is no number", "UPDATE dbo.visits SET score = N'many'", 8114],
    ["text that is no whole number", "UPDATE u SET n = N'1.5'", 245],
    ["a whole number that is too large", "UPDATE u SET n = 3000000000", 8115],
    ["text that is no date", "UPDATE u SET at = N'soon'", 241],
    ["more digits than datetime takes", "UPDATE u SET at = N'2024-01-02T03:04:05.1234567'", 241],
    ["a value for an identity", "INSERT INTO u (id, k) VALUES (1, 5)", 544],
    ["a value for a computed column", "INSERT INTO u (k, twice) VALUES (5, 1)", 271],
    ["a value for a rowversion", "INSERT INTO u (k, version) VALUES (5, 0x01)", 273],
    [
      "a comparison of columns with two collations",
      "SELECT 1 AS one FROM dbo.visits AS v INNER JOIN u ON u.s = v.id",
      468,
    ],
  ];
  const other = `CREATE TABLE u (id int IDENTITY(1,1) NOT NULL, k int NOT NULL, n int NULL, at datetime NULL, s nvarchar(5) COLLATE Latin1_General_100_BIN2 NULL, twice AS (k * 2), version rowversion);
    CREATE UNIQUE INDEX UX ON u (k); INSERT INTO u (k) VALUES (7);`;
  for (const [what, sql, expected] of refusals) {
    test(`${what} is error ${expected}, and the statement leaves nothing`, async (t) => {
      const { server, pool } = await start(t, { sql: `${visits} ${other} INSERT INTO dbo.visits (id) VALUES (N'a')` });
      const before = [server.table("dbo.visits").rows(), server.table("u").rows()];
      assert.equal(await number(pool.request().query(sql)), expected);
      assert.deepEqual([server.table("dbo.visits").rows(), server.table("u").rows()], before);
    });
  }

  test("keys are told apart by case where their collation does, and IGNORE_DUP_KEY leaves duplicates out", async (t) => {
    const { server, pool } = await start(t, {
      sql: "CREATE TABLE k (id nvarchar(5) COLLATE Latin1_General_100_CS_AS NOT NULL PRIMARY KEY WITH (IGNORE_DUP_KEY = ON))",
    });
    const { rowsAffected } = await pool.request().query("INSERT INTO k VALUES (N'a'), (N'A'), (N'a ')");
    assert.deepEqual(rowsAffected, [2]);
    assert.deepEqual(server.table("k").rows(), [{ id: "a" }, { id: "A" }]);
  });

  test("a #temp table has the collation of tempdb, unless it is copied or told otherwise", async (t) => {
    const { pool } = await start(t, { sql: visits, serverCollation: "Latin1_General_100_CI_AS" });
    const join = "SELECT 1 AS one FROM dbo.visits AS t INNER JOIN #s AS s ON s.id = t.id";
    assert.equal(await number(pool.request().batch(`CREATE TABLE #s (id nvarchar(20)); ${join}`)), 468);
    await pool
      .request()
      .batch(`DROP TABLE IF EXISTS #s; CREATE TABLE #s (id nvarchar(20) COLLATE DATABASE_DEFAULT); ${join}`);
    await pool.request().batch(`DROP TABLE IF EXISTS #s; SELECT TOP (0) id INTO #s FROM dbo.visits; ${join}`);
  });

  test("identity, computed, rowversion and default columns fill themselves", async (t) => {
    const { server, pool } = await start(t, {
      sql: "CREATE TABLE u (id int IDENTITY(10,5) NOT NULL, k int DEFAULT (4) NOT NULL, twice AS (k * 2), version rowversion)",
    });
    await pool.request().query("INSERT INTO u (k) VALUES (1), (DEFAULT)");
    const [first, second] = server.table("u").rows();
    assert.deepEqual(
      [first?.["id"], first?.["twice"], second?.["id"], second?.["k"], second?.["twice"]],
      [10, 2, 15, 4, 8],
    );
    await pool.request().query("UPDATE u SET k = 3 WHERE id = 10");
    const [changed] = server.table("u").rows();
    assert.equal(changed?.["twice"], 6);
    assert.notDeepEqual(changed?.["version"], first?.["version"]);
  });

  test("text that is too long names table and column since 2019, and not before", async (t) => {
    const text = "INSERT INTO dbo.visits (id, label) VALUES (N'b', N'12345678901')";
    const { pool } = await start(t, { sql: visits });
    assert.match((await failure(pool.request().query(text))).message, /table 'clinic\.dbo\.visits', column 'label'/u);
    const old = await start(t, { sql: visits, productVersion: "14.0.3490.10" });
    assert.equal(await number(old.pool.request().query(text)), 8152);
  });

  test("an error ends its statement alone, or with XACT_ABORT the batch and the transaction", async (t) => {
    const { server, pool } = await start(t, { sql: visits });
    const batch =
      "BEGIN TRAN; INSERT INTO dbo.visits (id) VALUES ('1'); INSERT INTO dbo.visits (id) VALUES ('1'); INSERT INTO dbo.visits (id) VALUES ('2'); COMMIT";
    assert.equal(await number(pool.request().batch(batch)), 2627);
    assert.deepEqual(
      server
        .table("dbo.visits")
        .rows()
        .map(({ id }) => id),
      ["1", "2"],
    );
    await server.run("DELETE FROM dbo.visits");
    assert.equal(await number(pool.request().batch(`SET XACT_ABORT ON; ${batch}`)), 2627);
    assert.deepEqual(server.table("dbo.visits").rows(), []);
  });

  test("the wrong column type of a bulk load is refused as bcp refuses it", async (t) => {
    const { pool } = await start(t, { sql: visits });
    const table = (type: () => mssql.ISqlType, name: string, value: string) => {
      const made = new mssql.Table("dbo.visits");
      made.columns.add("id", mssql.NVarChar(20), { nullable: false });
      made.columns.add(name, type, { nullable: true });
      made.rows.add("1", value);
      return made;
    };
    const varchar = mssql.VarChar(10) as unknown as () => mssql.ISqlType; // a type with its length is one, too
    assert.equal(await number(pool.request().bulk(table(varchar, "note", "short"))), 4816);
    const wide = mssql.NVarChar(50) as unknown as () => mssql.ISqlType;
    assert.equal(await number(pool.request().bulk(table(wide, "label", "12345678901"))), 2628);
  });

  test("a #temp table made inside of sp_executesql is gone after it, one made by a batch stays with its connection", async (t) => {
    const { pool } = await start(t, {}, { pool: { max: 1 } });
    await pool.request().query("CREATE TABLE #t (id int)");
    assert.equal(await number(pool.request().query("SELECT * FROM #t")), 208);
    await pool.request().batch("CREATE TABLE #t (id int)");
    assert.deepEqual((await pool.request().query("SELECT * FROM #t")).recordset, []);
    assert.equal(await number(pool.request().batch("CREATE TABLE #t (id int)")), 2714);
    await pool.request().batch("DROP TABLE IF EXISTS #t; DROP TABLE IF EXISTS #t");
    assert.equal(await number(pool.request().batch("DROP TABLE #t")), 3701);
  });
});

describe("locks", () => {
  const sql = `${visits} INSERT INTO dbo.visits (id, label) VALUES (N'a', N'old')`;
  const read = "SELECT label FROM dbo.visits";

  test("a reader waits for a writer's commit, or for its LOCK_TIMEOUT", async (t) => {
    const { pool } = await start(t, { sql });
    const transaction = pool.transaction();
    await transaction.begin();
    await transaction.request().query("UPDATE dbo.visits SET label = N'new'");
    assert.equal(await number(pool.request().batch(`SET LOCK_TIMEOUT 10; ${read}`)), 1222);
    assert.deepEqual((await pool.request().query(`${read} WITH (NOLOCK)`)).recordset, [{ label: "new" }]);
    const waiting = pool.request().batch(`SET LOCK_TIMEOUT -1; ${read}`);
    await delay(20);
    await transaction.commit();
    assert.deepEqual((await waiting).recordset, [{ label: "new" }]);
  });

  test("with READ_COMMITTED_SNAPSHOT a reader sees what was committed", async (t) => {
    const { pool } = await start(t, { sql, snapshot: true });
    const transaction = pool.transaction();
    await transaction.begin();
    await transaction
      .request()
      .query("UPDATE dbo.visits SET label = N'new'; INSERT INTO dbo.visits (id) VALUES (N'b')");
    assert.deepEqual((await pool.request().query(read)).recordset, [{ label: "old" }]);
    assert.deepEqual((await pool.request().query(`${read} WHERE id = N'a'`)).recordset, [{ label: "old" }]);
    await transaction.rollback();
  });

  test("an open SELECT keeps a writer waiting only where the server is told so", async (t) => {
    for (const openSelectsLock of [false, true]) {
      const { server, pool } = await start(t, {
        sql: "CREATE TABLE big (id int NOT NULL, pad varchar(max))",
        openSelectsLock,
      });
      const pad = "x".repeat(1000);
      server.table("big").insert(Array.from({ length: 30_000 }, (_, id) => ({ id, pad })));
      const request = pool.request();
      const stream = request.toReadableStream();
      void request.query("SELECT * FROM big");
      const rows = stream[Symbol.asyncIterator]();
      await rows.next();
      const write = pool.request().batch("SET LOCK_TIMEOUT 10; DELETE FROM big WHERE id = 1");
      if (openSelectsLock) assert.equal(await number(write), 1222);
      else await write;
      request.cancel();
      stream.destroy();
    }
  });

  test("of two transactions that wait for each other one is the victim", async (t) => {
    const { pool } = await start(t, { sql: `${sql} CREATE TABLE o (id int NOT NULL); INSERT INTO o VALUES (1)` });
    const [a, b] = [pool.transaction(), pool.transaction()];
    for (const transaction of [a, b]) transaction.on("rollback", () => undefined);
    await a.begin();
    await b.begin();
    await a.request().query("UPDATE dbo.visits SET label = N'a'");
    await b.request().query("UPDATE o SET id = 2");
    const first = a.request().query("UPDATE o SET id = 3");
    const second = await number(b.request().query("UPDATE dbo.visits SET label = N'b'"));
    assert.equal(second, 1205);
    await first;
    await a.commit();
  });
});

describe("faults", () => {
  test("the nth statement that matches is a deadlock victim, and its transaction is gone", async (t) => {
    const { server, pool } = await start(t, { sql: visits });
    const fault = server.faults.add({ on: /^MERGE/u, nth: 2, error: 1205 });
    const upsert = async (id: string) => {
      const transaction = pool.transaction();
      await transaction.begin();
      await stage(transaction, [[id, null, null, null]]);
      try {
        await transaction.request().batch(merge);
        await transaction.commit();
        return undefined;
      } catch (error) {
        assert.ok(error instanceof mssql.RequestError);
        return error.number;
      }
    };
    assert.deepEqual([await upsert("1"), await upsert("2"), await upsert("2")], [undefined, 1205, undefined]);
    assert.equal(fault.hits, 1);
    assert.deepEqual(
      server
        .table("dbo.visits")
        .rows()
        .map(({ id }) => id),
      ["1", "2"],
    );
  });

  test("the same seed draws the same faults", async (t) => {
    const { server, pool } = await start(t);
    const draw = async () => {
      server.faults.clear();
      server.faults.add({ on: /SELECT/u, probability: 0.3, seed: 7, error: { number: 40_501, class: 16 } });
      const drawn: boolean[] = [];
      for (let index = 0; index < 20; index += 1) {
        drawn.push(
          await pool
            .request()
            .query("SELECT 1 AS one")
            .then(
              () => false,
              () => true,
            ),
        );
      }
      return drawn;
    };
    const first = await draw();
    assert.ok(first.includes(true) && first.includes(false));
    assert.deepEqual(await draw(), first);
  });

  test("a connection can break before a statement, or after it and before its answer", async (t) => {
    const { server, pool } = await start(t, { sql: visits });
    server.faults.add({ on: /'before'/u, drop: "before" });
    server.faults.add({ on: /'after'/u, drop: "after" });
    for (const id of ["before", "after", "fine"]) {
      const sent = pool.request().query(`INSERT INTO dbo.visits (id) VALUES ('${id}')`);
      if (id === "fine") await sent;
      else assert.match((await failure(sent)).code ?? "", /ESOCKET|ECONNRESET|EREQUEST|ECONNCLOSED|ECLOSE/u);
    }
    assert.deepEqual(
      server
        .table("dbo.visits")
        .rows()
        .map(({ id }) => id),
      ["after", "fine"],
    );
  });

  test("a commit whose answer is lost is a commit, and one that never arrived is none", async (t) => {
    const { server, pool } = await start(t, { sql: visits });
    for (const drop of ["before", "after"] as const) {
      server.faults.add({ on: /^COMMIT/u, drop });
      const transaction = pool.transaction();
      await transaction.begin();
      await transaction.request().query(`INSERT INTO dbo.visits (id) VALUES ('${drop}')`);
      await failure(transaction.commit());
    }
    await until(() => server.table("dbo.visits").rows().length === 1); // the other's connection has ended
    assert.deepEqual(
      server
        .table("dbo.visits")
        .rows()
        .map(({ id }) => id),
      ["after"],
    );
  });

  test("kill breaks every connection, what was open is rolled back, and the pool comes again", async (t) => {
    const { server, pool } = await start(t, { sql: visits });
    const transaction = pool.transaction();
    await transaction.begin();
    await transaction.request().query("INSERT INTO dbo.visits (id) VALUES ('1')");
    server.kill();
    await until(() => server.table("dbo.visits").rows().length === 0);
    assert.deepEqual(server.table("dbo.visits").rows(), []);
    await failure(transaction.rollback());
    assert.equal((await pool.request().query("SELECT COUNT(*) AS n FROM dbo.visits")).recordset[0].n, 0);
  });

  test("a statement that hangs is cancelled, and the connection serves on", async (t) => {
    const { server, pool } = await start(t, { sql: visits }, { pool: { max: 1 } });
    server.faults.add({ on: /slow/u, delayMs: 60_000 });
    const request = pool.request();
    const sent = failure(request.query("SELECT 1 AS slow"));
    await until(() => server.statements.some(({ text }) => text.includes("slow")));
    request.cancel();
    assert.equal((await sent).code, "ECANCEL");
    assert.deepEqual((await pool.request().query("SELECT 1 AS one")).recordset, [{ one: 1 }]);
    assert.equal(server.connections(), 1);
  });

  test("a statement that waits for a lock is cancelled", async (t) => {
    const { server, pool } = await start(t, { sql: visits });
    const transaction = pool.transaction();
    await transaction.begin();
    await transaction.request().query("INSERT INTO dbo.visits (id) VALUES ('1')");
    const request = pool.request();
    const sent = failure(request.query("SELECT * FROM dbo.visits"));
    await until(() => server.statements.some(({ text }) => text.includes("SELECT *")));
    request.cancel();
    assert.equal((await sent).code, "ECANCEL");
    await transaction.rollback();
  });
});

describe("streaming", () => {
  const total = 100_000;
  const big = "CREATE TABLE big (id int NOT NULL, pad nvarchar(200) NOT NULL)";
  const generate = (server: SQLServer) =>
    server.table("big").generate(function* () {
      for (let id = 0; id < total; id += 1) yield { id, pad: "x".repeat(200) };
    });

  test("of 100,000 rows the server makes no more than the consumer takes, and all of them in the end", async (t) => {
    const { server, pool } = await start(t, { sql: big });
    generate(server);
    const request = pool.request();
    const stream = request.toReadableStream();
    void request.query("SELECT id, pad FROM big");
    let seen = 0;
    for await (const row of stream) {
      assert.equal((row as { id: number }).id, seen); // the rows of that query
      seen += 1;
      if (seen !== 5000) continue;
      // What lies between the two is filled first, however long that takes; then no more is made.
      for (let made = -1; made < server.rowsMade(); await delay(100)) made = server.rowsMade();
      assert.ok(server.rowsMade() < total / 2, `${server.rowsMade()} rows were made`);
    }
    assert.equal(seen, total);
  });

  test("a stream that is cancelled ends the query at the server", async (t) => {
    const { server, pool } = await start(t, { sql: big }, { pool: { max: 1 } });
    generate(server);
    const request = pool.request();
    const stream = request.toReadableStream();
    stream.on("error", () => undefined);
    const sent = request.query("SELECT id, pad FROM big").catch(() => undefined);
    await stream[Symbol.asyncIterator]().next();
    request.cancel();
    stream.destroy();
    await sent;
    assert.ok(server.rowsMade() < total);
    assert.deepEqual((await pool.request().query("SELECT 1 AS one")).recordset, [{ one: 1 }]);
  });
});

test("a schema is dropped when it holds nothing", async (t) => {
  const { pool } = await start(t);
  await pool.request().batch("CREATE SCHEMA [a b]");
  await pool.request().batch("CREATE TABLE [a b].t (id int)");
  assert.equal(await number(pool.request().batch("DROP SCHEMA [a b]")), 3729);
  await pool.request().batch("DROP TABLE [a b].t; DROP SCHEMA [a b]");
});
