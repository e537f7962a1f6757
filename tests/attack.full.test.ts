import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  attack,
  type AttackFlowName,
  attackFlows,
  canFillDisks,
  isOverServer,
  promisesBroken,
} from "./support/attack.ts";

/** Another one each time; `ATTACK_SEED` repeats a run of this file, as far as the machine's moments allow. */
const seed = Number(process.env["ATTACK_SEED"] ?? Math.floor(Math.random() * 1_000_000));
const fillsDisks = canFillDisks();

describe(
  `runs that are killed, whose disk is full and whose service fails, at random with seed ${seed}`,
  { concurrency: 2 },
  () => {
    // Object.keys() tells the names as texts; these are the keys of the object.
    const flows = (Object.keys(attackFlows) as AttackFlowName[]).filter((flow) => !isOverServer(flow));
    for (const [index, flow] of flows.entries()) {
      test(`${flow}: every good row is written once, every bad one is a dead letter once, nothing is paid for again`, async (context) => {
        context.diagnostic(`ATTACK_SEED=${seed}`);
        const endMs = performance.now() + 8_000;
        const isEnough = (): boolean => performance.now() > endMs;
        const figures = await attack({ flow, rows: 150, seed: seed + index, isEnough });
        context.diagnostic(JSON.stringify(figures));
        assert.deepEqual(promisesBroken(figures), [], `ATTACK_SEED=${seed}`);
        assert.ok(figures.kills + figures.diskFull > 0, "nothing was disturbed");
      });
    }
    test(
      "the disk of the runs above is full now and then",
      { skip: fillsDisks ? false : "no file system can be mounted here" },
      () => {},
    );
  },
);
