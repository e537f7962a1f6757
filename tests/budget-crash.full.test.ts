import assert from "node:assert/strict";
import { createServer, type IncomingHttpHeaders } from "node:http";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { SQLiteJournal } from "../src/journals/sqlite.ts";
import { amountOf } from "../src/spending/amount.ts";
import { startAzureOpenAISimulator } from "../src/testing/simulator/server.ts";
import { listen } from "./support/chat-server.ts";
import { settingsOf, startRun, until } from "./support/disturbed-run.ts";
import { makeSource, makeTarget, noteOf } from "./support/disturbed-site.ts";
import { randomNumbers } from "./support/random-numbers.ts";
import { temporaryFolder } from "./support/temporary-folder.ts";

const pipeline = fileURLToPath(new URL("fixtures/crash/pipeline.ts", import.meta.url));
const concurrency = 64;
const perDay = 2.6;

/** A service that finishes, and charges for, what it has received, also for a client that is gone by then, or that it sends nothing to. */
async function startService(random: () => number) {
  const simulator = await startAzureOpenAISimulator({ latencyMs: { median: 15, sigma: 0.5 } });
  const inFlight = new Set<Promise<void>>();
  const server = createServer((request, response) => {
    const serving = (async () => {
      const [body, { url = "", headers }] = [await text(request), request];
      const answer = await fetch(new URL(url, simulator.url), { method: "POST", headers: passedOn(headers), body });
      const reply = await answer.text();
      if (random() < 0.03) request.socket.destroy();
      else response.writeHead(answer.status, { "content-type": "application/json" }).end(reply);
    })();
    inFlight.add(serving);
    void Promise.allSettled([serving]).then(() => inFlight.delete(serving));
  });
  const url = `http://127.0.0.1:${await listen(server)}`;
  return {
    url,
    close: simulator.close,
    requests: () => simulator.statistics().requests,
    settled: async () => void (await Promise.allSettled(inFlight)),
    bill: () => {
      const { promptTokens, cachedTokens, completionTokens } = simulator.statistics();
      return ((promptTokens - cachedTokens) * 2.5 + cachedTokens * 1.25 + completionTokens * 10) / 1_000_000;
    },
  };
}

function passedOn({ "api-key": key, "content-type": type }: IncomingHttpHeaders): Record<string, string> {
  return { "api-key": String(key), "content-type": String(type) };
}

/** The money in the journal, and the number of reservations that are not settled: all, and those whose answer is there. */
async function moneyIn(path: string) {
  const reader = await new SQLiteJournal({ path }).reader();
  const { items: slices = [] } = (await reader?.spending.list({ limit: 1_000 })) ?? {};
  const { items: open = [] } = (await reader?.spending.reservations({ limit: 10_000 })) ?? {};
  const answers = await reader?.answers.find(open.map(({ fingerprint }) => fingerprint));
  const answered = open.filter(({ fingerprint, runId }) => answers?.get(fingerprint)?.runId === runId);
  const settled = amountOf(slices.reduce((sum, each) => sum + each.settled, 0n));
  const reserved = amountOf(open.reduce((sum, { amount }) => sum + amount, 0n));
  return { settled, reserved, openCount: open.length, answeredCount: answered.length };
}

test("runs of a day that are killed with 64 calls in flight never spend more than its budget, and what they left in flight stands", async (t) => {
  const random = randomNumbers(20);
  const folder = temporaryFolder();
  const service = await startService(random);
  t.after(async () => await service.close());
  const notes = Array.from({ length: 1_500 }, (_, index) => ({ id: `${index}`, note: noteOf(index) }));
  makeSource(join(folder, "source.db"), notes);
  makeTarget(join(folder, "target.db"));
  const journal = join(folder, "journal", "crash.db");
  const env = {
    ...settingsOf(service),
    CRASH_FOLDER: folder,
    CRASH_CONCURRENCY: `${concurrency}`,
    CRASH_PER_DAY: `${perDay}`,
  };
  let before = { openCount: 0 };
  let stoodOver = 0;
  for (let kill = 1; kill <= 6; kill += 1) {
    const { child, ended } = startRun(["run", pipeline, "--json"], folder, env);
    const gone = new AbortController();
    child.once("exit", () => gone.abort());
    const wanted = service.requests() + 1 + Math.floor(120 * random());
    await until(() => service.requests() >= wanted, gone.signal);
    await setTimeout(20 * random());
    child.kill("SIGKILL");
    const { signal } = await ended;
    await service.settled();
    const money = await moneyIn(journal);
    const bill = service.bill();
    t.diagnostic(
      `${signal ?? "ended"}: bill ${bill.toFixed(4)}, settled ${money.settled}, reserved ${money.reserved} by ${money.openCount} calls`,
    );
    assert.ok(bill <= money.settled + money.reserved + 1e-9, "whatever the service has charged is in the journal");
    assert.ok(money.settled + money.reserved <= perDay, "and within the budget");
    assert.equal(money.answeredCount, 0, "an answer never comes without its settlement");
    assert.ok(money.openCount >= before.openCount, "what a killed run left stands");
    if (signal === "SIGKILL") assert.ok(money.openCount <= before.openCount + concurrency);
    if (money.openCount > before.openCount) stoodOver += 1;
    before = money;
  }
  assert.ok(stoodOver >= 3, "few were killed with calls in flight");
  const { code, stdout } = await startRun(["run", pipeline, "--json"], folder, env).ended;
  await service.settled();
  const last = await moneyIn(journal);
  assert.equal(code, 3, stdout.slice(-2_000));
  assert.match(stdout, /LIMIT_REACHED/u);
  assert.equal(last.openCount, before.openCount, "nothing but what was killed is left open");
  assert.ok(service.bill() <= last.settled + last.reserved && last.settled + last.reserved <= perDay);
  t.diagnostic(
    `in the end: bill ${service.bill().toFixed(4)}, settled ${last.settled}, reserved ${last.reserved} of ${perDay}`,
  );
});
