import { SettingError } from "../../../src/errors/option.ts";
import assert from "node:assert/strict";
import { EventEmitter } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { test, type TestContext } from "node:test";
import { inspect } from "node:util";
import * as fc from "fast-check";
import mssql from "mssql";
import { SourceError } from "../../../src/errors/source.ts";
import { SQLServerConnection } from "../../../src/sql-server/connect/connection.ts";
import type { SQLServerConnectionOptions } from "../../../src/sql-server/connect/connection-options.ts";
import { failsWith } from "../../support/error-facts.ts";
import { sourceFail as fail } from "../../support/sql-server-errors.ts";

const signal = new AbortController().signal;
const owner = "SQLServerSource";
const none = { environment: {} };

interface Login {
  readonly user: string;
  readonly password: string;
  readonly application: string;
  readonly database: string;
}
type LoginErrors = readonly (readonly [number: number, message: string])[];
/** What the server says to one login: nothing (accepted), its errors, or `hang` and `drop`; or errors, after which the connection ends. */
type Answer = LoginErrors | "hang" | "drop" | { readonly last: LoginErrors; readonly isWhole: boolean };

/** As much of SQL Server as a login needs, without encryption. Answers the logins in turn, the last answer stays. */
async function loginServer(t: TestContext, ...answers: Answer[]): Promise<{ port: number; logins: Login[] }> {
  const logins: Login[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    let received = Buffer.alloc(0);
    socket.on("error", () => socket.destroy());
    socket.on("data", (chunk) => {
      received = Buffer.concat([received, chunk]);
      while (received.length >= 8 && received.length >= received.readUInt16BE(2)) {
        const length = received.readUInt16BE(2);
        const [type, data] = [received[0], received.subarray(8, length)];
        received = received.subarray(length);
        if (type === 0x12)
          socket.write(packet(Buffer.from([0, 0, 11, 0, 6, 1, 0, 17, 0, 1, 0xff, 16, 0, 0, 0, 0, 0, 2])));
        if (type === 0x01) socket.write(packet(done(0)));
        if (type !== 0x10) continue;
        const answer = answers[Math.min(logins.length, answers.length - 1)] ?? [];
        logins.push(readLogin(data));
        if (answer === "drop") socket.destroy();
        else if (answer === "hang") continue;
        else if ("last" in answer) {
          const errors = answer.last.map(errorToken);
          socket.end(answer.isWhole ? packet(Buffer.concat([...errors, done(2)])) : packet(Buffer.concat(errors), 0));
        } else if (answer.length === 0) socket.write(packet(Buffer.concat([loginAck, done(0)])));
        else socket.write(packet(Buffer.concat([...answer.map(errorToken), done(2)])));
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return { port: (server.address() as AddressInfo).port, logins };
}

/** @param status 1 for the last of a message */
function packet(data: Buffer, status = 1): Buffer {
  const header = Buffer.from([4, status, 0, 0, 0, 0, 1, 0]);
  header.writeUInt16BE(data.length + 8, 2);
  return Buffer.concat([header, data]);
}

const done = (status: number): Buffer => Buffer.from([0xfd, status, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
const loginAck = Buffer.from([0xad, 10, 0, 1, 0x74, 0, 0, 4, 0, 16, 0, 0, 0]);

function errorToken([number, message]: readonly [number, string]): Buffer {
  const data = Buffer.alloc(8 + message.length * 2 + 6);
  data.writeUInt32LE(number, 0);
  data[4] = 1;
  data[5] = 14;
  data.writeUInt16LE(message.length, 6);
  data.write(message, 8, "utf16le");
  const head = Buffer.from([0xaa, 0, 0]);
  head.writeUInt16LE(data.length, 1);
  return Buffer.concat([head, data]);
}

function readLogin(data: Buffer): Login {
  const field = (offset: number): Buffer => {
    const start = data.readUInt16LE(offset);
    return data.subarray(start, start + data.readUInt16LE(offset + 2) * 2);
  };
  const clear = Buffer.from(
    field(44).map((byte) => {
      const plain = byte ^ 0xa5;
      return ((plain << 4) | (plain >> 4)) & 0xff;
    }),
  );
  const text = (bytes: Buffer): string => bytes.toString("utf16le");
  return { user: text(field(40)), password: text(clear), application: text(field(48)), database: text(field(68)) };
}

function connectionTo(port: number, more = ""): SQLServerConnection {
  const connectionString = `Server=127.0.0.1,${port};UID=u;PWD="hunt;er2";Database=d;Encrypt=no;${more}`;
  return new SQLServerConnection(owner, { connectionString }, { ...none, sleep: async () => {} });
}

test("a check looks for the driver, and for the variable where no option gives a connection", () => {
  const of = (options: SQLServerConnectionOptions) => new SQLServerConnection(owner, options, none).requirements;
  assert.deepEqual(of({}), { packages: ["mssql"], environment: ["SQL_SERVER_CONN"] });
  const connectionString = "Server=h;User ID=u;Password=p";
  assert.deepEqual(of({ connectionString }), { packages: ["mssql"], environment: [] });
  assert.deepEqual(of({ pool: new mssql.ConnectionPool({ server: "h" }) }), { packages: ["mssql"], environment: [] });
});

test("a connection is opened once, lazily, under the name of llm-etl, and closed", async (t) => {
  const { port, logins } = await loginServer(t, []);
  const connection = connectionTo(port);
  assert.equal(logins.length, 0);
  const [first, second] = await Promise.all([connection.open({ signal, fail }), connection.open({ signal, fail })]);
  assert.equal(first, second);
  assert.equal(first.pool.connected, true);
  assert.deepEqual(logins, [{ user: "u", password: "hunt;er2", application: "llm-etl", database: "d" }]);
  await connection.close();
  assert.equal(first.pool.connected, false);
  await connection.close();
});

test("any password reaches the server as it is, from both forms", async (t) => {
  const { port, logins } = await loginServer(t, [[18_456, "Login failed for user 'u'."]]);
  const password = fc
    .string({ unit: "binary", minLength: 8, maxLength: 60 })
    .filter((text) => text.isWellFormed() && !text.includes("\0"));
  const server = `Server=127.0.0.1,${port}`;
  await fc.assert(
    fc.asyncProperty(password, async (text) => {
      for (const connectionString of [
        `Driver={x};${server};UID=u;PWD={${text.replaceAll("}", "}}")}};Encrypt=no`,
        `${server};UID=u;PWD="${text.replaceAll('"', '""')}";Encrypt=no`,
      ]) {
        const connection = new SQLServerConnection(owner, { connectionString }, none);
        const error: unknown = await connection.open({ signal, fail }).catch((thrown: unknown) => thrown);
        assert.equal(logins.at(-1)?.password, text);
        assert.ok(error instanceof SourceError);
        for (const shown of [error.message, error.detail, inspect(error), JSON.stringify(error), inspect(connection)]) {
          assert.ok(!shown.includes(text));
        }
        assert.ok(!inspect(error.cause, { depth: 20 }).includes(text));
      }
    }),
    { seed: 4, numRuns: 20 },
  );
});

test("a denied login is reported at once, with what to do; the server's first reason counts", async (t) => {
  const { port, logins } = await loginServer(t, [[18_456, "Login failed for user 'u'."]]);
  await assert.rejects(connectionTo(port).open({ signal, fail }), (error: Error) => {
    assert.ok(error instanceof SourceError);
    assert.match(String(error.facts.where), /^127\.0\.0\.1,\d+$/);
    return failsWith("SOURCE_FAILED", { database: "d", errorNumbers: [18_456] })(error);
  });
  assert.equal(logins.length, 1);
  const other = await loginServer(t, [
    [4060, 'Cannot open database "d" requested by the login.'],
    [18_456, "Login failed for user 'u'."],
  ]);
  await assert.rejects(
    connectionTo(other.port).open({ signal, fail }),
    failsWith("SOURCE_FAILED", { errorNumbers: [4060] }),
  );
  assert.equal(other.logins.length, 3, "4060 may be a failover: tried twice more");
});

test("a login that fails in passing is tried again, and one that stays so is given up", async (t) => {
  const busy: Answer = [[40_613, "Database 'd' is not currently available."]];
  const { port, logins } = await loginServer(t, busy, "drop", busy, []);
  const connection = connectionTo(port);
  await connection.open({ signal, fail });
  assert.equal(logins.length, 4);
  await connection.close();
  const down = await loginServer(t, busy);
  await assert.rejects(connectionTo(down.port, "ConnectRetryCount=0").open({ signal, fail }), /error 40613.*run again/);
  assert.equal(down.logins.length, 1);
});

test("a login that the server ends midway keeps its number and what to do", async (t) => {
  for (const isWhole of [true, false]) {
    for (const [number, hint] of [
      [18_456, /User ID/],
      [18_470, /disabled/],
      [4060, /Database/],
      [40_615, /firewall/],
    ] as const) {
      const { port, logins } = await loginServer(t, { last: [[number, "No."]], isWhole });
      const error: unknown = await connectionTo(port, "ConnectRetryCount=0")
        .open({ signal, fail })
        .catch((thrown: unknown) => thrown);
      failsWith("SOURCE_FAILED", { errorNumbers: [number] })(error);
      assert.ok(error instanceof SourceError);
      assert.match(error.facts.hint ?? "", hint);
      assert.equal(logins.length, 1);
    }
  }
});

test("a connection whose settings have logged in before waits out a denial", async (t) => {
  const { port, logins } = await loginServer(t, [], [[18_456, "Login failed."]], [[4060, "Cannot open."]], []);
  const connectionString = `Server=127.0.0.1,${port};UID=u;PWD=p;Encrypt=no`;
  const shared = { haveWorked: false };
  const seams = { ...none, sleep: async () => {} };
  for (const count of [1, 4]) {
    const connection = new SQLServerConnection(owner, { connectionString }, seams, shared);
    await connection.open({ signal, fail });
    assert.equal(logins.length, count);
    await connection.close();
  }
});

test("a connection of the pool is waited for as long as is said, at most as long as the pool does and at least five seconds", async (t) => {
  const { port } = await loginServer(t, []);
  for (const [waitMs, expected] of [
    [20_000, 20_000],
    [100, 5000],
    [300_000, 30_000],
    [undefined, 30_000],
  ] as const) {
    const connection = connectionTo(port);
    const { pool } = await connection.open({ signal, fail, waitMs });
    const config: unknown = Reflect.get(pool, "config");
    assert.partialDeepStrictEqual(config, { pool: { acquireTimeoutMillis: expected, createTimeoutMillis: expected } });
    await connection.close();
  }
});

test("after a failure the next call tries anew", async (t) => {
  const { port } = await loginServer(t, [[18_456, "Login failed."]], []);
  const connection = connectionTo(port);
  await assert.rejects(connection.open({ signal, fail }), SourceError);
  assert.equal((await connection.open({ signal, fail })).pool.connected, true);
  await connection.close();
});

test("a server that is not there is reported at once", async (t) => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  t.diagnostic(`nothing listens at ${port}`);
  await assert.rejects(
    connectionTo(port).open({ signal, fail }),
    /ECONNREFUSED.*nothing listens there: check the port/,
  );
});

test("an abort ends the attempt to connect with its own reason", async (t) => {
  const { port, logins } = await loginServer(t, "hang");
  const controller = new AbortController();
  const reason = new Error("enough");
  const opening = connectionTo(port, "Connect Timeout=600").open({ signal: controller.signal, fail });
  const abort = setInterval(() => logins.length > 0 && controller.abort(reason), 5);
  t.after(() => clearInterval(abort));
  await assert.rejects(opening, reason);
  await assert.rejects(connectionTo(port).open({ signal: controller.signal, fail }), reason);
});

test("a pool that is open shows no password to who inspects it", async (t) => {
  const { port } = await loginServer(t, []);
  const connection = connectionTo(port);
  const { pool } = await connection.open({ signal, fail });
  await pool.request().batch("SELECT 1");
  assert.doesNotMatch(inspect(pool, { depth: 30, getters: true }), /hunt;er2/);
  assert.doesNotMatch(inspect(connection, { depth: 30, showHidden: true }), /hunt;er2|127\.0\.0\.1/);
  assert.equal(JSON.stringify(connection), "{}");
  assert.ok(pool.listenerCount("error") > 0);
  await connection.close();
});

test("a pool of the user's is connected if it is not, and neither closed nor left with a listener", async (t) => {
  const { port } = await loginServer(t, []);
  const pool = new mssql.ConnectionPool({
    server: "127.0.0.1",
    port,
    user: "u",
    password: "p",
    database: "Clinic",
    options: { encrypt: false },
  });
  const connection = new SQLServerConnection(owner, { pool }, none);
  assert.equal(connection.identity, `127.0.0.1,${port}/clinic`);
  assert.equal(Object.getPrototypeOf((await connection.open({ signal, fail })).pool), pool);
  assert.equal(pool.connected, true);
  assert.equal(pool.listenerCount("error"), 1);
  await connection.close();
  assert.equal(pool.connected, true);
  assert.equal(pool.listenerCount("error"), 0);
  await pool.close();
});

test("a pool of the user's that can't connect is an error like our own", async () => {
  const pool = Object.assign(new EventEmitter(), {
    connected: false,
    connect: async () => {
      throw Object.assign(new Error("Login failed"), { code: "ELOGIN" });
    },
    request: () => ({}),
    transaction: () => ({}),
  });
  const connection = new SQLServerConnection(owner, { pool }, none);
  const facts = { where: "a pool of your own,1433", errorCodes: ["ELOGIN"] };
  await assert.rejects(connection.open({ signal, fail }), failsWith("SOURCE_FAILED", facts));
  assert.equal(pool.listenerCount("error"), 0);
});

test("without an option the environment is read, at first use", async () => {
  const connection = new SQLServerConnection(owner, {}, none);
  const missing = (error: unknown): boolean => {
    assert.ok(error instanceof SettingError);
    assert.partialDeepStrictEqual(error.facts, { where: "connectionString", variable: "SQL_SERVER_CONN" });
    return error.code === "SETTING_MISSING";
  };
  assert.throws(() => connection.identity, missing);
  await assert.rejects(connection.open({ signal, fail }), missing);
  const environment = { SQL_SERVER_CONN: "Server=Host;Database=D;UID=u;PWD=p" };
  assert.equal(new SQLServerConnection(owner, {}, { environment }).identity, "host/d");
  const wrong = new SQLServerConnection(owner, {}, { environment: { SQL_SERVER_CONN: "Server=h;PWD=s3cret" } });
  assert.throws(() => wrong.identity, failsWith("INVALID_OPTION", { variable: "SQL_SERVER_CONN" }));
});

test("a wrong connection string is rejected at construction", () => {
  const construct = (): unknown => new SQLServerConnection(owner, { connectionString: "Server=h;PWD=s3cret" });
  assert.throws(construct, failsWith("INVALID_OPTION", { where: "connectionString" }));
});

test("an identity is the same however server and database are spelt", () => {
  const identityOf = (place: string, options: SQLServerConnectionOptions = {}): string =>
    new SQLServerConnection(owner, { connectionString: `${place};UID=u;PWD=p`, ...options }, none).identity;
  for (const place of [
    "Server=HOST;Database=D",
    "Data Source=tcp:host,1433;Initial Catalog=d",
    "Addr=host\\MSSQLSERVER;Database=D",
  ]) {
    assert.equal(identityOf(place), "host/d", place);
  }
  assert.equal(identityOf("Server=host,14330;Database=d"), "host,14330/d");
  assert.equal(identityOf("Server=.\\Inst"), "localhost\\inst/(default)");
});

test("a driver that is missing is reported as a setting, not as a failed connection", async () => {
  const loadDriver = async (): Promise<never> => {
    throw new Error("not installed");
  };
  const connection = new SQLServerConnection(owner, { connectionString: "Server=h;UID=u;PWD=p" }, { loadDriver });
  await assert.rejects(connection.open({ signal, fail }), { message: "not installed" });
});
