/**
 * How often SQLServerSink goes to the server. The server is that of the tests: its speed says nothing, but each request of
 * the driver's is one of a real server's too, and on a network it is what writing waits for.
 */
import type { TestContext } from "node:test";
import { SQLServerSink } from "llm-etl/sinks/sql-server";
import { startTargetServer } from "../../tests/support/sql-server-target.ts";
import { noteOf } from "../workload/notes.ts";
import { groupsOf } from "../../src/testing/row-groups.ts";

export interface SQLServerJob {
  readonly rows: number;
  readonly batchSize: number;
}

export interface RoundTrips {
  /** For the preflight and the end of the run. */
  readonly fixed: number;
  readonly inserting: number;
  readonly updating: number;
}

const { signal } = new AbortController();
const closing: (() => Promise<void>)[] = [];
// The server asks it for one thing only: to be closed at the end.
const context = { after: (close: () => Promise<void>) => closing.push(close) } as unknown as TestContext;

export async function run({ rows, batchSize }: SQLServerJob): Promise<RoundTrips> {
  const sql = "CREATE TABLE dbo.notes (id NVARCHAR(20) NOT NULL PRIMARY KEY, note NVARCHAR(4000) NULL)";
  const server = await startTargetServer({ sql }, context);
  const { connectionString } = server;
  const columnMap = { id: (): null => null, note: (): null => null };
  const sink = new SQLServerSink({ connectionString, targetTable: "dbo.notes", mergeKeys: ["id"], columnMap });
  const write = async (suffix: string): Promise<{ readonly writing: number; readonly fixed: number }> => {
    server.forget();
    const session = await sink.open({ signal });
    const opening = server.roundTrips();
    for (let start = 1; start <= rows; start += batchSize) {
      const numbers = Array.from({ length: Math.min(batchSize, rows - start + 1) }, (_, index) => start + index);
      await session.write(
        groupsOf(numbers.map((number) => noteOf(number)).map(({ id, note }) => ({ id, note: `${note}${suffix}` }))),
      );
    }
    const writing = server.roundTrips() - opening;
    await session.close("completed");
    return { writing, fixed: server.roundTrips() - writing };
  };
  const inserted = await write("");
  const updated = await write(".");
  const count = server.table("dbo.notes").rows().length;
  for (const close of closing) await close();
  if (count !== rows) throw new Error(`the table has ${count} of ${rows} rows`);
  return { fixed: inserted.fixed, inserting: inserted.writing, updating: updated.writing };
}
