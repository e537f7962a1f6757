import type { ConnectionPool, Request } from "mssql";
import { inTime } from "../../table/in-time.ts";

/** A connection that is taken from its pool for long: for what the server keeps with a session. */
export interface HeldConnection {
  readonly request: () => Request;
  /** Calls when the connection is gone, and its session with it. */
  readonly onceGone: (call: () => void) => void;
  /** Gives it back to the pool as it is. */
  readonly release: () => void;
  /** Ends the connection: its pool makes another one when it needs one. */
  readonly end: () => void;
}

/** @throws what the driver throws; the signal's reason */
export async function holdConnection(pool: ConnectionPool, signal: AbortSignal): Promise<HeldConnection> {
  signal.throwIfAborted();
  const taken = await inTime(take(pool), {
    signal,
    timeOver: () => new Error("no time was given"),
    onLate: ({ release }) => release(),
  });
  const { connection, release } = taken;
  const onceGone = (call: () => void): void => {
    for (const event of ["error", "end"]) connection.once(event, call);
  };
  onceGone(release); // else its pool would wait for it when it closes
  const lone: ConnectionPool = Object.create(pool); // what has a pool as its prototype is one
  Object.assign(lone, {
    acquire: (_requester: unknown, callback: (...given: unknown[]) => void) =>
      process.nextTick(callback, null, connection, Reflect.get(pool, "config")),
    release: () => lone,
  });
  return {
    request: () => lone.request(),
    onceGone,
    release,
    end: () => {
      connection.close(); // its end releases it
      release();
    },
  };
}

interface Lent {
  readonly connection: {
    readonly once: (event: string, listener: () => void) => unknown;
    readonly close: () => void;
  };
  readonly release: () => void;
}

/** By methods of the pool that the driver's types don't have. */
async function take(pool: ConnectionPool): Promise<Lent> {
  return await new Promise((resolve, reject) => {
    const taken = (error: unknown, connection: Lent["connection"]): void => {
      let isReleased = false;
      const release = (): void => {
        if (!isReleased) Reflect.apply(Reflect.get(pool, "release"), pool, [connection]);
        isReleased = true;
      };
      if (error instanceof Error) reject(error);
      else resolve({ connection, release });
    };
    Reflect.apply(Reflect.get(pool, "acquire"), pool, [{}, taken]);
  });
}
