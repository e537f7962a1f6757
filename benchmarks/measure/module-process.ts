/** Runs one module in this process, which exists for nothing else: see own-process.ts. */
import { once } from "node:events";
import type { Assignment, ProcessFigures, RunnableModule } from "./own-process.ts";
import { beginProfile } from "./profiling.ts";

const [first] = await once(process, "message");
const { module, argument, profile } = first as Assignment; // sent by own-process.ts
const { run } = (await import(module)) as RunnableModule<unknown>; // whoever names the module says so
const profiling = profile === undefined ? undefined : await beginProfile(profile.folder, profile.name);
const atStart = process.cpuUsage();
const startedMs = performance.now();
const result = await run(argument);
const wallSeconds = (performance.now() - startedMs) / 1000;
const ofRun = process.cpuUsage(atStart);
const whole = process.cpuUsage();
await profiling?.end();
const figures: ProcessFigures = {
  wallSeconds,
  cpuSeconds: (ofRun.user + ofRun.system) / 1e6,
  wholeCpuSeconds: (whole.user + whole.system) / 1e6,
  peakMiB: process.resourceUsage().maxRSS / 1024,
};
process.send?.({ result, figures }, () => process.disconnect());
