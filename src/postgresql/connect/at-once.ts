import type { ClientBase, Connection } from "pg";
import { CommitInDoubtError } from "../../table/dialect.ts";
import { driverFacts, isOfServer } from "../error-meaning.ts";
import type { Driver } from "./driver.ts";

/**
 * Has the server make all of the statements, in one transaction and one round trip, or none: it commits at the sync, which comes once, after the
 * last of them. False where the first divides by zero.
 *
 * @throws {CommitInDoubtError} where no answer came; what the server answered to the one that failed
 */
export async function makeAtOnce(
  client: ClientBase,
  { Query }: Pick<Driver, "Query">,
  statements: readonly (readonly [sql: string, values: unknown[]])[],
): Promise<boolean> {
  const ended = Promise.withResolvers<boolean>();
  let made = 0;
  client.query({
    submit: (connection: Connection) => {
      const withoutSync: Connection = Object.create(connection, { sync: { value: () => undefined } });
      connection.stream.cork();
      try {
        for (const [sql, values] of statements) new Query(sql, values).submit(withoutSync);
        connection.sync();
        connection.stream.uncork();
      } catch (error) {
        connection.stream.destroy(); // nothing was sent
        ended.reject(error);
      }
    },
    handleRowDescription: () => undefined,
    handleDataRow: () => undefined,
    handleCommandComplete: () => (made += 1),
    handleReadyForQuery: () => ended.resolve(true),
    handleError: (error: unknown) => {
      if (made === 0 && driverFacts(error).states.includes("22012")) ended.resolve(false);
      else ended.reject(isOfServer(error) ? error : new CommitInDoubtError(error));
    },
  });
  return await ended.promise;
}
