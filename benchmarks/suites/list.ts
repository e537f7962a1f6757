import { bill } from "./bill.ts";
import { changes } from "./changes.ts";
import { cpu } from "./cpu.ts";
import { withFaults } from "./faults.ts";
import { files } from "./files.ts";
import { journal } from "./journal.ts";
import { memory } from "./memory.ts";
import { parquet } from "./parquet.ts";
import { quota } from "./quota.ts";
import { startUp } from "./start-up.ts";
import type { Suite } from "./suite.ts";
import { taxonomy } from "./taxonomy.ts";
import { wall } from "./wall.ts";

/** In the order in which they run and stand in RESULTS.md. */
export const suites: readonly Suite[] = [
  startUp,
  cpu,
  files,
  parquet,
  journal,
  changes,
  taxonomy,
  withFaults,
  bill,
  quota,
  wall,
  memory,
];
