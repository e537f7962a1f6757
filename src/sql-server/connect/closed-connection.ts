import type { ConnectionPool } from "mssql";
import { noteWait } from "../error-meaning.ts";
import { lookingAt } from "./taken-connections.ts";

/**
 * Keeps a connection that has closed from reading on. The driver fails the request of such a connection, and forgets it; but what had come
 * of the answer, it still reads. At its end it looks for the request that is gone, and throws where nobody catches: the process would end.
 */
export function endWithConnection(connection: object): void {
  if (guarded.has(connection)) return;
  guarded.add(connection);
  // A method that the driver's types don't have. Where it is gone, there is nothing to keep.
  const parse: unknown = Reflect.get(connection, "createTokenStreamParser");
  if (typeof parse !== "function") return;
  Object.assign(connection, {
    createTokenStreamParser: (...given: unknown[]): unknown => {
      const parser: unknown = Reflect.apply(parse, connection, given);
      const emit: unknown = typeof parser === "object" && parser !== null ? Reflect.get(parser, "emit") : undefined;
      if (typeof parser !== "object" || parser === null || typeof emit !== "function") return parser;
      return Object.assign(parser, {
        emit: (...event: unknown[]): unknown =>
          Reflect.get(connection, "closed") === true ? false : Reflect.apply(emit, parser, event),
      });
    },
  });
}

const guarded = new WeakSet<object>();

/**
 * The same pool, whose connections are guarded as they are taken from it: a pool of the user's may have made them long ago. An error for want of
 * a connection has the time that was waited for it.
 */
export function guardedPool(pool: ConnectionPool): ConnectionPool {
  return lookingAt(pool, ({ connection, error, waitedMs }) => {
    if (connection !== undefined) endWithConnection(connection);
    noteWait(error, waitedMs);
  });
}
