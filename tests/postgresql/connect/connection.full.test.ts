import assert from "node:assert/strict";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { SourceError } from "../../../src/errors/source.ts";
import { CommitInDoubtError } from "../../../src/table/dialect.ts";
import { inTransaction, withClient } from "../../../src/postgresql/connect/client.ts";
import {
  type ConnectContext,
  type DriverSeams,
  PostgreSQLConnection,
} from "../../../src/postgresql/connect/connection.ts";
import { readOnlyProblem, sharesBackends } from "../../../src/postgresql/connect/server-state.ts";
import { driverFacts, passingError } from "../../../src/postgresql/error-meaning.ts";
import { startCuttableProxy } from "../../support/cuttable-proxy.ts";
import { failsWith } from "../../support/error-facts.ts";
import { noPostgreSQL, testDatabase } from "../../support/postgresql/database.ts";
import { startPostgreSQL } from "../../support/postgresql/server.ts";

const roles = ["wants_password", "wants_tls"].map(
  (name) =>
    `DO $$ BEGIN CREATE ROLE ${name} LOGIN PASSWORD 'right'; EXCEPTION WHEN duplicate_object THEN NULL; END $$;`,
);
const database = testDatabase(
  `CREATE TABLE t (a int PRIMARY KEY, b int REFERENCES t (a) DEFERRABLE INITIALLY DEFERRED); ${roles.join(" ")}`,
);
const skip = noPostgreSQL;
const { signal } = new AbortController();
const context: ConnectContext = { signal, fail: (...given) => new SourceError("postgresql", ...given) };

interface Login {
  readonly user?: string;
  readonly password?: string;
  readonly database?: string;
  readonly query?: string;
  readonly port?: number;
}

function urlOf({ user = "postgres", password = "", database: name, query = "", port }: Login): string {
  const url = new URL(database.url());
  url.username = user;
  url.password = password;
  url.search = query;
  if (name !== undefined) url.pathname = `/${name}`;
  if (port !== undefined) url.port = String(port);
  return url.href;
}

async function using<Result>(
  login: Login,
  use: (connection: PostgreSQLConnection) => Promise<Result>,
  seams?: DriverSeams,
): Promise<Result> {
  const connection = new PostgreSQLConnection("source", { connectionString: urlOf(login) }, seams);
  try {
    return await use(connection);
  } finally {
    await connection.close();
  }
}

async function isEncrypted(login: Login): Promise<unknown> {
  return await using(login, async (connection) => {
    const { pool } = await connection.open(context);
    const { rows } = await pool.query("SELECT ssl::text FROM pg_stat_ssl WHERE pid = pg_backend_pid()");
    return rows[0];
  });
}

const secret = "wr0ng-secret";
const denied: Readonly<Record<string, readonly [login: Login, state: string, hint: RegExp]>> = {
  "a wrong password": [{ user: "wants_password", password: secret }, "28P01", /user and password/],
  "an unknown user": [{ user: "nobody_there" }, "28000", /pg_hba/],
  "an unknown database": [{ database: "nowhere" }, "3D000", /database's name/],
  "a plain connection where only encrypted ones are taken": [{ user: "wants_tls" }, "28000", /sslmode=/],
};

for (const [name, [login, state, hint]] of Object.entries(denied)) {
  test(`${name} is told at once, with its state and what to do`, { skip }, async () => {
    await using(login, async (connection) => {
      await assert.rejects(connection.open(context), (error: SourceError) => {
        failsWith("SOURCE_FAILED", { errorStates: [state] })(error);
        assert.match(String(error.facts["hint"]), hint);
        assert.ok(!error.message.includes(secret));
        return true;
      });
    });
  });
}

test("a password that is missing, a port without a server and a name without a host are told", { skip }, async () => {
  const tells = async (login: Login, code: string): Promise<void> =>
    await using(login, async (connection) => {
      await assert.rejects(connection.open(context), (error: SourceError) => {
        assert.ok(driverFacts(error).codes.includes(code), String(error));
        assert.equal(typeof error.facts["hint"], "string");
        return true;
      });
    });
  await tells({ user: "wants_password" }, "ENOPASSWORD");
  await tells({ port: 1 }, "ECONNREFUSED");
  await tells({ query: "?host=no-such-host.invalid&sslmode=disable" }, "ENOTFOUND");
  await tells({ query: "?sslmode=verify-full" }, "EUNTRUSTED");
});

test("sslmode decides on encryption", { skip }, async () => {
  const root = encodeURIComponent(fileURLToPath(new URL("../../fixtures/tls/certificate.pem", import.meta.url)));
  assert.deepEqual(await isEncrypted({}), { ssl: "false" });
  for (const query of ["?sslmode=require", "?sslmode=prefer", `?sslmode=verify-full&sslrootcert=${root}`]) {
    assert.deepEqual(await isEncrypted({ query }), { ssl: "true" }, query);
  }
  assert.deepEqual(
    await isEncrypted({ user: "wants_password", password: "right", query: "?sslmode=require&channel_binding=require" }),
    {
      ssl: "true",
    },
  );
});

test("values come as the server writes them", { skip }, async () => {
  await using({}, async (connection) => {
    const { pool } = await connection.open(context);
    const { rows } = await pool.query(
      "SELECT 9007199254740993 AS a, 0.1::float8 + 0.2 AS b, '2025-03-01 09:30:00.123456+00'::timestamptz AT TIME ZONE 'UTC' AS c, '\\x00ff'::bytea AS d, NULL AS e",
    );
    assert.deepEqual(
      { ...rows[0] },
      { a: "9007199254740993", b: "0.30000000000000004", c: "2025-03-01 09:30:00.123456", d: "\\x00ff", e: null },
    );
  });
});

test(
  "a transaction is committed, rolled back for an error, and rolled back where its work says so",
  { skip },
  async () => {
    await using({}, async (connection) => {
      const { pool } = await connection.open(context);
      const insert = async (value: number, commit: boolean, end?: Error): Promise<unknown> =>
        await inTransaction(pool, signal, async (client) => {
          await client.query("INSERT INTO t VALUES ($1)", [value]);
          if (end !== undefined) throw end;
          return [value, commit];
        });
      assert.equal(await insert(1, true), 1);
      await insert(2, false);
      const end = new Error("of the work");
      await assert.rejects(insert(3, true, end), end);
      assert.deepEqual(await database.run("SELECT a FROM t"), [{ a: 1 }]);
      assert.deepEqual([pool.totalCount, pool.idleCount], [1, 1], "the connection serves again");
      await assert.rejects(
        inTransaction(pool, signal, async (client) => {
          await client.query("INSERT INTO t VALUES (4, 99)"); // its foreign key is looked at by the commit
          return [undefined, true];
        }),
        (error) => !(error instanceof CommitInDoubtError) && driverFacts(error).states[0] === "23503",
      );
    });
  },
);

test("an abort, and a limit that is over, end a statement on the server, too", { skip }, async () => {
  await using({}, async (connection) => {
    const { pool } = await connection.open(context);
    const controller = new AbortController();
    const sleeping = withClient(
      pool,
      controller.signal,
      async (client) => await client.query("SELECT pg_sleep(100), 'sleeper'"),
    );
    const count = async (): Promise<unknown> => {
      const rows = await database.run(
        "SELECT count(*)::int AS n FROM pg_stat_activity WHERE query LIKE '%''sleeper''%' AND state = 'active' AND pid <> pg_backend_pid()",
      );
      return rows[0]?.["n"];
    };
    while ((await count()) === 0);
    controller.abort(new Error("stopped"));
    await assert.rejects(sleeping, { message: "stopped" });
    const late = withClient(pool, signal, async (client) => await client.query("SELECT pg_sleep(100), 'sleeper'"), {
      limitMs: 20,
    });
    await assert.rejects(
      late,
      (error) => driverFacts(error).codes.includes("ETIMEDOUT") && passingError(error) !== undefined,
    );
    while ((await count()) !== 0);
  });
});

test(
  "a session that the server ends, and a commit whose answer is cut off, are told apart from rejected statements",
  { skip },
  async (testing) => {
    const proxy = await startCuttableProxy(new URL(database.url()));
    testing.after(proxy.cut);
    await using({ port: proxy.port }, async (connection) => {
      const { pool } = await connection.open(context);
      const killed = withClient(
        pool,
        signal,
        async (client) => await client.query("SELECT pg_terminate_backend(pg_backend_pid()), pg_sleep(9)"),
      );
      await assert.rejects(
        killed,
        (error) => driverFacts(error).states[0] === "57P01" && passingError(error) !== undefined,
      );
      const cut = inTransaction(pool, signal, async (client) => {
        await client.query("CREATE TEMPORARY TABLE slow (a int); INSERT INTO t VALUES (7)");
        proxy.cut(); // noticed when the commit is on its way
        return [undefined, true];
      });
      await assert.rejects(cut, (error) => error instanceof CommitInDoubtError && passingError(error) !== undefined);
    });
  },
);

test(
  "a login is waited out while the server starts, and a restart ends a session with an error that passes",
  { skip },
  async () => {
    const server = await startPostgreSQL();
    const connectionString = server.url();
    const connection = new PostgreSQLConnection("source", { connectionString }, {}, { haveWorked: true });
    try {
      await server.stop();
      const opening = connection.open(context);
      await server.start();
      const { pool } = await opening;
      const session = await connection.session(signal);
      const lost = new Promise((resolve) => void session.once("error", resolve));
      await server.stop("kill");
      assert.notEqual(passingError(await lost), undefined);
      await session.end();
      await assert.rejects(
        withClient(pool, signal, async (client) => await client.query("SELECT 1")),
        (error) => passingError(error) !== undefined,
      );
      await server.start();
      const rows = await withClient(pool, signal, async (client) => (await client.query("SELECT 1 AS one")).rows);
      assert.deepEqual(rows, [{ one: "1" }]);
    } finally {
      await connection.close();
      await server.remove();
    }
  },
);

test("a pooler in transaction mode is told by two connections with one process of the server", { skip }, async () => {
  await using({}, async (connection) => {
    const [one, other] = [await connection.session(signal), await connection.session(signal)];
    try {
      assert.equal(await sharesBackends(one, other), false);
      assert.equal(await sharesBackends(one, one), true);
    } finally {
      await one.end();
      await other.end();
    }
  });
});

test("a server that takes no writes is told before any is tried", { skip }, async () => {
  const problem = async (query: string): Promise<unknown> =>
    await using({ query }, async (connection) => {
      const { pool } = await connection.open(context);
      return await withClient(
        pool,
        signal,
        async (client) => await readOnlyProblem(async (sql) => (await client.query(sql)).rows),
      );
    });
  assert.equal(await problem(""), undefined);
  assert.match(
    String(await problem("?options=-c%20default_transaction_read_only%3Don")),
    /default_transaction_read_only/,
  );
});

test(
  "a connection that breaks before it is ready is an error of who wanted it, and of nobody else",
  { skip },
  async () => {
    const proxy = await startCuttableProxy(new URL(database.url()));
    try {
      await using({ port: proxy.port }, async (connection) => {
        const { pool } = await connection.open(context);
        pool.once("connect", () => proxy.cut()); // it has logged in, and is being set up
        await assert.rejects(
          withClient(pool, signal, async (client) => await client.query("SELECT 1")),
          (error) => passingError(error) !== undefined,
        );
        await proxy.mend();
        await withClient(pool, signal, async (client) => await client.query("SELECT 1"));
      });
    } finally {
      proxy.cut();
    }
  },
);

test(
  "a connection on which nothing can be written is used no more: new ones may lead to another server",
  { skip },
  async () => {
    await using({}, async (connection) => {
      const { pool } = await connection.open({ ...context, mostConnections: 1 });
      const ask = async (sql: string) =>
        await withClient(pool, signal, async (client) => (await client.query(sql)).rows);
      const [first] = await ask(
        "SELECT pg_backend_pid() AS pid, set_config('default_transaction_read_only', 'on', false)",
      );
      await assert.rejects(ask("CREATE TABLE no_more (a int)"), { code: "25006" });
      const [second] = await ask("SELECT pg_backend_pid() AS pid");
      assert.notEqual(second?.["pid"], first?.["pid"]);
    });
  },
);
