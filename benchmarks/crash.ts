/**
 * Kills runs of the real command at random moments, over 2,000 rows and two steps, and holds what they leave against an
 * undisturbed run: one line of JSON per sink; exits with 1 where a promise of the journal is broken. Usage: node
 * benchmarks/crash.ts [kills per sink] [seed]; run `npm run build` first.
 */
import { brokenPromises, crash, type CrashOptions } from "../tests/support/crash.ts";

const [kills = 100, seed = 1] = process.argv.slice(2).map(Number);
const cases: readonly Pick<CrashOptions, "sink" | "withFaults">[] = [
  { sink: "sqlite" },
  { sink: "csv" },
  { sink: "csv-ordered" },
  { sink: "sqlite", withFaults: true },
];

for (const [index, one] of cases.entries()) {
  const options = { ...one, rows: 2000, kills, seed: seed + index, concurrency: 16, latencyMs: 10 };
  const figures = await crash(options);
  const broken = brokenPromises(figures);
  console.log(JSON.stringify({ withFaults: false, ...one, ...figures, broken }));
  if (broken.length > 0) process.exitCode = 1;
}
