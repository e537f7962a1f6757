import { writeFileSync } from "node:fs";
import { Session } from "node:inspector/promises";
import { join } from "node:path";

/** Begins to profile this process: CPU by samples, and allocations by samples, those that were collected included. */
export async function beginProfile(folder: string, name: string): Promise<{ readonly end: () => Promise<void> }> {
  const session = new Session();
  session.connect();
  await session.post("Profiler.enable");
  await session.post("Profiler.setSamplingInterval", { interval: 500 }); // microseconds
  await session.post("Profiler.start");
  await session.post("HeapProfiler.startSampling", {
    samplingInterval: 65_536, // bytes
    includeObjectsCollectedByMajorGC: true,
    includeObjectsCollectedByMinorGC: true,
  });
  return {
    end: async () => {
      const time = await session.post("Profiler.stop");
      const allocations = await session.post("HeapProfiler.stopSampling");
      const path = join(folder, `${name}-${process.pid}`);
      writeFileSync(`${path}.cpuprofile`, JSON.stringify(time.profile));
      writeFileSync(`${path}.heapprofile`, JSON.stringify(allocations.profile));
      session.disconnect();
    },
  };
}
