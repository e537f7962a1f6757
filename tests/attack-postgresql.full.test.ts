import assert from "node:assert/strict";
import { test } from "node:test";
import { attack, promisesBroken } from "./support/attack.ts";
import { noPostgreSQL } from "./support/postgresql/database.ts";

/** Another one each time; `ATTACK_SEED` repeats a run of this file, as far as the machine's moments allow. */
const seed = Number(process.env["ATTACK_SEED"] ?? Math.floor(Math.random() * 1_000_000));

test(
  "source, target and journal in PostgreSQL: kills, crashes, restarts, cuts and silences lose, double and pay for nothing",
  { skip: noPostgreSQL },
  async (context) => {
    context.diagnostic(`ATTACK_SEED=${seed}`);
    const figures = await attack({
      flow: "PostgreSQL to PostgreSQL, with its journal there",
      rows: 150,
      seed,
      latencyMs: 15,
      disturbances: 4,
      troubles: { kill: 4, restart: 1, crash: 2, cut: 3, silence: 1 },
      troubleMs: { silence: 4000 },
      isEnough: () => true,
    });
    context.diagnostic(JSON.stringify(figures));
    assert.deepEqual(promisesBroken(figures), [], `ATTACK_SEED=${seed}`);
    const { kills, restart, crash, cut, silence } = figures;
    assert.deepEqual({ kills, restart, crash, cut, silence }, { kills: 4, restart: 1, crash: 2, cut: 3, silence: 1 });
  },
);
