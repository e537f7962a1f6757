/** The rows, through p-limit: what its readme shows, around a streamed source and a streamed target. */
import pLimit from "p-limit";
import { Failures, type Job, type Outcome } from "../tools/tool.ts";
import { readNotes, ResultFile } from "../workload/csv.ts";
import type { Note } from "../workload/notes.ts";
import type { Enriched } from "../workload/task.ts";

export async function enrichAll(job: Job, enrich: (note: Note) => Promise<Enriched>): Promise<Outcome> {
  const limit = pLimit(job.concurrency);
  const result = new ResultFile(job.output);
  const failures = new Failures();
  const rows: Promise<void>[] = [];
  for await (const note of readNotes(job.input)) {
    const row = limit(async () => {
      try {
        await result.write(await enrich(note));
      } catch (error) {
        failures.add(error);
      }
    });
    rows.push(row);
  }
  await Promise.all(rows);
  await result.close();
  return failures.outcome();
}
