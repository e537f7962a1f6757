// Full lane: 5,000 requests take two seconds of CPU.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Pool } from "undici";
import type { SimulatorFaults } from "../../../src/testing/simulator/faults.ts";
import { chat, simulatorFor } from "../../support/simulator.ts";

test("over 5,000 requests each fault has its share, and retries end", async (context) => {
  const faults: SimulatorFaults = {
    serverError: 0.02,
    rateLimit: 0.03,
    connectionReset: 0.01,
    invalidJSON: 0.03,
    outOfRange: 0.01,
    refusal: 0.02,
  };
  const simulator = await simulatorFor(context, { faults });
  const pool = new Pool(simulator.url, { connections: 32 });
  context.after(async () => await pool.close());
  const ask = async (row: number): Promise<boolean> => {
    const body = JSON.stringify(chat(`row ${row}`));
    const headers = { "api-key": "k" };
    try {
      const response = await pool.request({ path: "/openai/v1/chat/completions", method: "POST", headers, body });
      await response.body.dump();
      return response.statusCode === 200;
    } catch {
      return false; // a connection that was reset
    }
  };
  const rows = Array.from({ length: 5000 }, (_, index) => index);
  const fine = await Promise.all(rows.map(ask));
  const { byFault, byStatus, requests } = simulator.statistics();
  for (const [name, share] of Object.entries(faults)) {
    const got = (byFault[name] ?? 0) / 5000;
    assert.ok(Math.abs(got - Number(share)) < 0.006, `${name}: ${got}`);
  }
  assert.deepEqual([requests, Object.values(byStatus).reduce((sum, count) => sum + count, 0)], [5000, 5000]);
  let left = rows.filter((row) => fine[row] !== true);
  for (let turn = 0; turn < 5 && left.length > 0; turn += 1) {
    const again = await Promise.all(left.map(ask));
    left = left.filter((_, index) => again[index] !== true);
  }
  assert.deepEqual(left, []);
});
