import type { JournalContents, RowCount } from "../contracts/journal-upkeep.ts";
import type { RunAttempt } from "../contracts/run-detail.ts";
import { pageIn } from "./records.ts";
import { usedIn } from "./rows.ts";
import { toAttempt } from "./run-detail.ts";
import type { Looks } from "./store.ts";
import { tables } from "./tables.ts";
import { keyHash } from "./texts.ts";

/** All that a journal in a database holds. */
export function contentsOf(looks: Looks, size: JournalContents["size"]): JournalContents {
  return {
    size,
    answerCounts: async () => {
      const lines = await looks.counts(tables.answers, ["run_id", "model"]);
      return lines.map(({ run_id, model, n }) => ({ runId: String(run_id), model: String(model), count: Number(n) }));
    },
    rowCounts: async () => {
      const lines = await looks.counts(tables.rows, ["sink", "outcome"]);
      return lines.map(({ sink, outcome, n }) => ({
        sinkKey: String(sink),
        outcome: outcomeOf(outcome),
        count: Number(n),
      }));
    },
    answers: async (request) => {
      const columns = ["fingerprint", "run_id"];
      const query = { where: [], order: "rising", by: "fingerprint", columns, ...request } as const;
      return await pageIn(looks, tables.answers, query, ({ fingerprint, run_id }) => ({
        fingerprint: String(fingerprint),
        runId: String(run_id),
      }));
    },
    uses: async (sinkKey, request) => {
      const columns = ["row_key", "pk", "outcome", "run_id", "fingerprints"];
      const query = { where: [["sink", "=", sinkKey]], order: "rising", by: "row_key", columns, ...request } as const;
      return await pageIn(looks, tables.rows, query, (line) => ({
        pk: String(line["pk"]),
        outcome: outcomeOf(line["outcome"]),
        runId: String(line["run_id"] ?? ""),
        fingerprints: usedIn(line),
      }));
    },
    attempts: async (runId, request) => await attemptsOfRun(looks, runId, request),
    sinkKey: keyHash,
  };
}

/** A row that used answers, and has not ended since, has no outcome. */
function outcomeOf(cell: unknown): RowCount["outcome"] {
  return cell === "written" || cell === "failed" ? cell : "known";
}

/** By row, as the index has them: a page ends with the last attempt for a row. */
async function attemptsOfRun(looks: Looks, ...[runId, { limit, from }]: Parameters<JournalContents["attempts"]>) {
  const { attempts } = tables;
  const ofRun = ["run_id", "=", runId] as const;
  const query = { where: [ofRun], order: "rising", by: "row_key", columns: ["row_key"] } as const;
  const keys = (await looks.page(attempts, { ...query, from, limit })).map(({ row_key }) => String(row_key));
  const [first, last] = [keys[0], keys.at(-1)];
  if (first === undefined || last === undefined) return { items: [], next: null };
  const where = [ofRun, ["row_key", ">=", first] as const, ["row_key", "<=", last] as const];
  const items: RunAttempt[] = [];
  for (let after: string | undefined; ;) {
    const request = { limit: attemptsAtOnce, from: after };
    const page = await pageIn(looks, attempts, { where, order: "rising", ...request }, toAttempt);
    items.push(...page.items);
    if (page.next === null) return { items, next: keys.length === limit ? last : null };
    after = page.next;
  }
}

/** Attempts are asked for so many at a time. */
const attemptsAtOnce = 1_000;
