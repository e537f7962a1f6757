import type { JournalReader } from "../contracts/journal.ts";
import type { SpendingLook } from "../contracts/journal-spending.ts";
import type { JournalContents } from "../contracts/journal-upkeep.ts";
import { contentsOf } from "./contents.ts";
import { toRange } from "./leases.ts";
import {
  answersOf,
  fingerprintsPage,
  pageIn,
  termsOf,
  toEvaluation,
  toOverride,
  toPastRun,
  toWatermark,
  workPage,
} from "./records.ts";
import { byPk, childrenIn, rowKeys, toBadRow, toKnownRow, usedIn } from "./rows.ts";
import { runRowsIn, timelineIn, toAttempt, valuesIn } from "./run-detail.ts";
import { spendingIn } from "./spending.ts";
import type { Looks } from "./store.ts";
import { tables } from "./tables.ts";
import { keyHash } from "./texts.ts";

/** A look into a journal in a database. */
export function readerOf(
  looks: Looks,
  { version, size, close }: Pick<JournalContents, "size"> & Pick<JournalReader, "close"> & { readonly version: number },
): JournalReader {
  const rowsOf = async (sink: string, pks: readonly string[]) =>
    pks.length === 0 ? [] : await looks.find(tables.rows, tables.rows.key, rowKeys(sink, pks));
  return {
    answers: {
      find: async (fingerprints) => {
        const keys = fingerprints.map((fingerprint) => ({ fingerprint }));
        return answersOf(await looks.find(tables.answers, tables.answers.key, keys));
      },
      findUsed: async (sink, pks) => byPk(await rowsOf(sink, pks), (_, line) => usedIn(line) ?? undefined),
    },
    rows: {
      find: async (sink, pks) => byPk(await rowsOf(sink, pks), toKnownRow),
      writtenCount: async (sink) =>
        await looks.count(tables.rows, [
          ["sink", "=", keyHash(sink)],
          ["outcome", "=", "written"],
        ]),
    },
    children: {
      find: async (sink, pks) => {
        if (pks.length === 0) return new Map();
        const lines = await looks.find(tables.children, tables.children.key, rowKeys(sink, pks));
        return byPk(lines, (_, line) => childrenIn(line));
      },
    },
    runs: runsIn(looks),
    work: {
      list: async (request) => await workPage(looks, request),
      fingerprints: async (id, request) => await fingerprintsPage(looks, id, request),
    },
    watermarks: {
      list: async (request) =>
        await pageIn(looks, tables.watermarks, { where: [], order: "rising", ...request }, toWatermark),
    },
    evaluations: {
      list: async ({ pipeline, ...request }) => {
        const query = { where: termsOf({ pipeline }), order: "falling", ...request } as const;
        return await pageIn(looks, tables.evaluations, query, toEvaluation);
      },
      find: async (id) => (await looks.find(tables.evaluations, ["id"], [{ id }])).map(toEvaluation)[0],
    },
    overrides: {
      list: async ({ pipeline, ...request }) => {
        const query = { where: termsOf({ pipeline }), order: "rising", ...request } as const;
        return await pageIn(looks, tables.overrides, query, toOverride);
      },
    },
    leases: {
      list: async (runId, request) => {
        const query = { where: [["run_id", "=", runId]], order: "rising" } as const;
        return await pageIn(looks, tables.leases, { ...query, ...request }, toRange);
      },
    },
    spending: version < 2 ? noSpending : spendingIn(looks),
    contents: contentsOf(looks, size),
    holder: async () => (await looks.held()).map(({ holder }) => String(holder))[0],
    close,
  };
}

function runsIn(looks: Looks): JournalReader["runs"] {
  return {
    list: async ({ limit, from, ...filter }) => {
      const alive = new Set((await looks.held()).map(({ run_id }) => String(run_id)));
      const query = { where: termsOf(filter), order: "falling", limit, from } as const;
      return await pageIn(looks, tables.runs, query, (line) => toPastRun(line, alive));
    },
    count: async (filter) => await looks.count(tables.runs, termsOf(filter)),
    failures: async (runId, request) => {
      const query = { where: [["run_id", "=", runId]], order: "rising" } as const;
      return await pageIn(looks, tables.failures, { ...query, ...request }, toBadRow);
    },
    rows: async (runId, request) => await runRowsIn(looks, runId, request),
    attempts: async (runId, pk, request) => {
      const where = [["run_id", "=", runId] as const, ["row_key", "=", keyHash(pk)] as const];
      return await pageIn(looks, tables.attempts, { where, order: "rising", ...request }, toAttempt);
    },
    timeline: async (runId, request) => await timelineIn(looks, runId, request),
    values: async (runId, request) => await valuesIn(looks, runId, request),
  };
}

/** Of a journal of an older version, which has no such tables. */
const noSpending: SpendingLook = {
  list: async () => ({ items: [], next: null }),
  reservations: async () => ({ items: [], next: null }),
};
