import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import fc from "fast-check";
import mssql from "mssql";
import { SQLServerSource } from "../../src/sources/sql-server.ts";
import type { SQLServerChanges } from "../../src/sql-server/read/change-options.ts";
import { RunsOverChanges } from "../support/runs-over-changes.ts";
import { type SQLServer, startSQLServer } from "../support/sql-server.ts";

const lagSeconds = 60;

/** How many interleavings are tried of each way to tell changes. */
const trials = Number(process.env["INTERLEAVINGS"] ?? 12);

const runs = (write: fc.Arbitrary<Write>) =>
  fc.array(
    fc.record({
      before: fc.array(write, { maxLength: 6 }),
      during: fc.array(write, { maxLength: 6 }),
      outcomes: fc.array(fc.constantFrom("written", "written", "failed", "pending"), { minLength: 1, maxLength: 8 }),
    }),
    { minLength: 1, maxLength: 4 },
  );

interface Write {
  readonly id: number;
  readonly how: "now" | "open" | "commit" | "roll back";
  /** For so long the transaction was open since it gave the column its value. */
  readonly openSeconds: number | null;
  readonly afterSeconds: number;
}

const write: fc.Arbitrary<Write> = fc.record({
  id: fc.nat(5),
  how: fc.constantFrom("now", "now", "open", "commit", "roll back"),
  openSeconds: fc.option(fc.nat(lagSeconds - 2), { freq: 10 }),
  afterSeconds: fc.nat(90),
});

/** A table that is written to, and the runs that read what changed in it. */
interface Site {
  readonly changes: SQLServerChanges;
  /** Of the column `c`. */
  readonly type: string;
  readonly write: (server: SQLServer, write: Write, note: number) => Promise<void>;
  /** Once all writers are done. */
  readonly end: () => Promise<void>;
}

async function interleave(t: TestContext, siteOf: (server: SQLServer) => Promise<Site> | Site): Promise<void> {
  const server = await startSQLServer({ sql: "", snapshot: true }, t);
  const site = await siteOf(server);
  await server.run(`CREATE TABLE dbo.t (id INT NOT NULL PRIMARY KEY, note INT NULL, c ${site.type})`);
  const pool = new mssql.ConnectionPool(server.config);
  t.after(() => pool.close());
  const source = new SQLServerSource<{ id: number }>({
    pool: await pool.connect(),
    sql: "SELECT id, note, c FROM dbo.t",
    primaryKeyColumn: "id",
    changes: site.changes,
  });
  await fc.assert(
    fc.asyncProperty(runs(write), async (given) => {
      await server.run("DELETE FROM dbo.t");
      const changing = new RunsOverChanges(source);
      let note = 0;
      const writeAll = async (writes: readonly Write[]): Promise<void> => {
        for (const each of writes) await site.write(server, each, (note += 1));
      };
      for (const { before, during, outcomes } of given) {
        await writeAll(before);
        await changing.run((position) => outcomes[position % outcomes.length] ?? "written", {
          row: async (count) => await writeAll(during.slice(count - 1, count)),
          rows: async () => await writeAll(during.slice(-1)),
        });
      }
      await site.end();
      await changing.run(() => "written");
      const rows = await server.run("SELECT id, note FROM dbo.t");
      assert.deepEqual(changing.target, new Map(rows.map(({ id, note: last }) => [Number(id).toString(), last])));
    }),
    { numRuns: trials },
  );
}

test("by column: whatever the order in which writers commit, also while rows are read, none is missed", async (t) => {
  t.mock.timers.enable({ apis: ["Date"], now: Date.now() });
  await interleave(t, () => ({
    changes: { by: "column", column: "c", lagSeconds },
    type: "DATETIME2(3) NULL",
    write: async (server, { id, openSeconds, afterSeconds }, note) => {
      t.mock.timers.setTime(Date.now() + afterSeconds * 1000);
      const time = openSeconds === null ? null : new Date(Date.now() - openSeconds * 1000).toISOString().slice(0, -1);
      await server.run(`DELETE FROM dbo.t WHERE id = ${id}`);
      server.table("dbo.t").insert([{ id, note, c: time }]);
    },
    end: async () => {},
  }));
});

test("by rowversion: whatever is committed or rolled back, in whatever order, also while rows are read, none is missed", async (t) => {
  await interleave(t, async (server) => {
    const pool = await new mssql.ConnectionPool(server.config).connect();
    t.after(() => pool.close());
    let transaction: mssql.Transaction | undefined;
    let added = 100;
    const end = async (how: "commit" | "roll back"): Promise<void> => {
      await (how === "commit" ? transaction?.commit() : transaction?.rollback());
      transaction = undefined;
    };
    return {
      changes: { by: "rowversion", column: "c" },
      type: "ROWVERSION",
      write: async (_, { id, how }, note) => {
        if (how === "commit" || how === "roll back") return await end(how);
        // The transaction has the table: what others write meanwhile are new rows, put in past its lock.
        if (how === "now" && transaction !== undefined) {
          server.table("dbo.t").insert([{ id: (added += 1), note }]);
          return;
        }
        if (how === "open") transaction ??= await pool.transaction().begin();
        await (transaction ?? pool)
          .request()
          .batch(
            `UPDATE dbo.t SET note = ${note} WHERE id = ${id}; IF @@ROWCOUNT = 0 INSERT INTO dbo.t (id, note) VALUES (${id}, ${note});`,
          );
      },
      end: async () => await end("commit"),
    };
  });
});
