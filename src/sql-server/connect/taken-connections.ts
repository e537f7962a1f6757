import type { ConnectionPool } from "mssql";

/** Looks at a connection that a pool has lent, or at the error for want of one. */
type Look = (taken: {
  readonly connection: object | undefined;
  readonly error: unknown;
  readonly waitedMs: number;
}) => void;

/** The same pool, with a look at each connection before its requester has it. */
export function lookingAt(pool: ConnectionPool, look: Look): ConnectionPool {
  const acquire: unknown = Reflect.get(pool, "acquire"); // the driver's types don't have it
  if (typeof acquire !== "function") return pool;
  const joined: ConnectionPool = Object.create(pool); // what has a pool as its prototype is one
  return Object.assign(joined, {
    acquire: (requester: unknown, callback: unknown): unknown => {
      if (typeof callback !== "function") return Reflect.apply(acquire, pool, [requester]);
      const startedAt = performance.now();
      const onAcquired = (error: unknown, connection: unknown, ...others: unknown[]): void => {
        const lent = typeof connection === "object" && connection !== null ? connection : undefined;
        look({ connection: lent, error, waitedMs: performance.now() - startedAt });
        Reflect.apply(callback, undefined, [error, connection, ...others]);
      };
      return Reflect.apply(acquire, pool, [requester, onAcquired]);
    },
  });
}
