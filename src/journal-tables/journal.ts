import type { Journal } from "../contracts/journal.ts";
import type { Ask, JournalDatabase } from "./database.ts";
import { asJournalError, openStore } from "./held-store.ts";
import { readerOf } from "./reader.ts";
import { requireSchema, versionIn } from "./schema.ts";
import { sessionOf } from "./session.ts";
import { looksOf } from "./statements.ts";
import { openUpkeep } from "./upkeep.ts";

type Parts = Pick<Journal, "open" | "reader"> & {
  readonly preflight: NonNullable<Journal["preflight"]>;
  readonly upkeep: NonNullable<Journal["upkeep"]>;
};

/** A journal in a database. Each session and each look has a connection of its own: they end at different times. */
export function journalIn(connect: () => JournalDatabase): Parts {
  return {
    preflight: async (signal) => {
      const database = connect();
      const { use, lockConnection, close } = await database.open(signal);
      try {
        await use(signal, async (ask) => await requireSchema(ask, database));
        await (await lockConnection(signal)).end();
        return true;
      } catch (error) {
        throw asJournalError(database, error);
      } finally {
        await close();
      }
    },
    open: async (run, signal) => {
      const database = connect();
      return sessionOf(database.identity, await openStore(database, run, signal));
    },
    upkeep: async (signal) => await openUpkeep(connect(), signal),
    reader: async () => {
      const database = connect();
      const { signal } = new AbortController();
      const { use, close } = await database.open(signal);
      const look = async <Result>(work: (ask: Ask) => Promise<Result>): Promise<Result> => {
        try {
          return await use(signal, work);
        } catch (error) {
          throw asJournalError(database, error);
        }
      };
      const size = async (): Promise<number | null> => (database.size === undefined ? null : await look(database.size));
      try {
        const version = await use(signal, async (ask) => await versionIn(ask, database));
        if (version !== undefined) return readerOf(looksOf(database, look), { version, size, close });
      } catch (error) {
        await close();
        throw asJournalError(database, error);
      }
      await close();
      return undefined;
    },
  };
}
