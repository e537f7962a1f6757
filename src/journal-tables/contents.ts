import type { JournalContents, RowCount } from "../contracts/journal-upkeep.ts";
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
  const where = [["run_id", "=", runId]] as const;
  const query = { where, order: "rising", by: "row_key" } as const;
  const keys = await looks.page(tables.attempts, { ...query, from, limit, columns: ["row_key"] });
  const names = [...new Set(keys.map(({ row_key }) => String(row_key)))];
  const lines = await looks.find(
    tables.attempts,
    ["run_id", "row_key"],
    names.map((row_key) => ({ run_id: runId, row_key })),
  );
  const order = new Map(names.map((name, index) => [name, index]));
  const place = (line: (typeof lines)[number]): number => order.get(String(line["row_key"])) ?? 0;
  const sorted = lines.toSorted((a, b) => place(a) - place(b) || Number(a["number"]) - Number(b["number"]));
  return { items: sorted.map(toAttempt), next: keys.length === limit ? (names.at(-1) ?? null) : null };
}
