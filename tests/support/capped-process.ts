/** A capped run in a process of its own: started with its job as JSON, it sends its outcome. */
import { type CappedJob, runCapped } from "./capped-run.ts";

const job: CappedJob = JSON.parse(process.argv[2] ?? "{}"); // written by cap-trial.ts
const outcome = await runCapped(job);
process.send?.(outcome, () => process.disconnect());
