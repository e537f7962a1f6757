import type { TestContext } from "node:test";
import { SQLServerSink } from "../../src/sinks/sql-server.ts";
import { startTargetServer } from "../support/sql-server-target.ts";
import { complete, type Finished, type Given, type GoldenCase, type OutputStep, promptHashOf } from "./case.ts";

/** A case whose table in the SQL Server of the tests limits what the step may answer. Each column shows one field. */
export function sqlServerCase<Out extends Readonly<Record<string, unknown>>>(
  given: Given,
  step: OutputStep<Out>,
  columns: Readonly<Record<string, string>>,
): GoldenCase {
  return complete(given, async (pipeline) => {
    const ends: (() => unknown)[] = [];
    // Nothing but `after` of a context is used; a case also runs where there is no test.
    const context = { after: (end: () => unknown) => ends.push(end) } as unknown as TestContext;
    const definitions = Object.entries(columns).map(([name, type]) => `${name} ${type}`);
    const sql = `CREATE TABLE dbo.target (id VARCHAR(20) NOT NULL PRIMARY KEY, prompt_hash CHAR(16), ${definitions.join(", ")})`;
    const server = await startTargetServer({ sql }, context);
    const names = Object.keys(columns);
    const sink = new SQLServerSink<Finished<Out>>({
      connectionString: server.connectionString,
      targetTable: "dbo.target",
      mergeKeys: ["id"],
      columnMap: {
        id: (s) => s.pk,
        prompt_hash: promptHashOf,
        ...Object.fromEntries(names.map((name) => [name, (s: Finished<Out>) => s.processed.output[name]])),
      },
    });
    return {
      pipeline: pipeline.step(step).to(sink),
      rows: () => server.table("dbo.target").rows(),
      close: async () => {
        for (const end of ends) await end();
      },
    };
  });
}
