// Runs the pipeline on the database that is there; `npm run demo` makes one.
import pipeline from "./pipeline.ts";

const result = await pipeline.run();
console.log(`Processed: ${result.successCount}, Failed: ${result.failureCount}`);
process.exitCode = result.exitCode; // 0: all rows fine, 1: some failed, 2 and 3: see RunReport
