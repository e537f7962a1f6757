import assert from "node:assert/strict";
import { EventEmitter } from "node:events";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { runCommandLine } from "../../../src/cli/program.ts";
import { BatchClient, inputLines } from "../../support/batch-client.ts";
import { chat, completionIn, errorIn, send } from "../../support/simulator.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";
import { commandLine, testTerminal } from "../../support/terminal.ts";

const folder = temporaryFolder();

/** `llm-etl simulate` with these words, up to the point where it listens. */
async function simulating(...words: readonly string[]) {
  const signals = new EventEmitter();
  const listening = Promise.withResolvers<string>();
  const terminal = testTerminal({
    signals,
    onStderr: (text) => {
      const url = /Listening on (http:\S+),/.exec(text)?.[1];
      if (url !== undefined) listening.resolve(url);
    },
  });
  const ended = runCommandLine(["simulate", "--port", "0", ...words], terminal);
  return { url: await listening.promise, signals, ended, written: terminal.written };
}

test("it prints the settings, serves until a signal, then prints the statistics, exit code 0", async (t) => {
  for (const signal of ["SIGINT", "SIGTERM"]) {
    const prices = '{"inputPerMillion":1,"cachedInputPerMillion":1,"outputPerMillion":1,"currency":"EUR"}';
    const { url, signals, ended, written } = await simulating("--deployment", "prod", "--set", `prices=${prices}`);
    assert.equal(
      written.stdout,
      `AZURE_OPENAI_ENDPOINT=${url}\nAZURE_OPENAI_API_KEY=simulator\nAZURE_OPENAI_DEPLOYMENT=prod\n`,
    );
    assert.equal((await send({ url }, { body: chat("x") })).status, 200);
    signals.emit(signal);
    assert.equal(await ended, 0);
    const statistics = JSON.parse(written.stdout.slice(written.stdout.indexOf("{")));
    assert.deepEqual([statistics.requests, statistics.byStatus], [1, { 200: 1 }]);
    const { requests, promptTokens, completionTokens, cost, currency } = statistics.bill;
    assert.deepEqual([requests, currency], [1, "EUR"]);
    assert.equal(cost, (promptTokens + completionTokens) / 1e6);
    t.assert.snapshot(written.stderr.replaceAll(url, "URL"));
    assert.deepEqual([signals.listenerCount("SIGINT"), signals.listenerCount("SIGTERM")], [0, 0]);
    await assert.rejects(send({ url }, { body: chat("x") }), { code: "ECONNREFUSED" });
  }
});

test("its options reach the simulator", async () => {
  const path = join(folder, "labels.csv");
  await writeFile(path, "text,label\nplain,Emergency\n");
  const { url, signals, ended, written } = await simulating(
    ...[
      "--api-key",
      "secret",
      "--rpm",
      "60",
      "--request-window-ms",
      "60000",
      "--seed",
      "3",
      "--latency-ms",
      "1.5",
      "--latency-sigma",
      "0.1",
    ],
    ...["--tpm", "1000000", "--fault", "serverError=0", "--fault", "html=.0", "--reasoning"],
    ...["--answers-from", path, "--text-column", "text", "--label-column", "label"],
  );
  assert.match(written.stdout, /AZURE_OPENAI_API_KEY=secret\n/);
  assert.equal((await send({ url }, { body: chat("plain") })).status, 401);
  const headers = { "api-key": "secret" };
  const received = await send({ url }, { headers, body: chat("plain", { max_completion_tokens: 900 }) });
  assert.equal(JSON.parse(completionIn(received).content ?? "").category, "Emergency");
  assert.equal(received.headers["x-ratelimit-limit-requests"], "60");
  assert.equal(received.headers["x-ratelimit-limit-tokens"], "1000000");
  assert.equal(errorIn(await send({ url }, { headers, body: chat("x", { temperature: 0 }) })).param, "temperature");
  signals.emit("SIGINT");
  assert.equal(await ended, 0);
});

test("faults are served at their share", async () => {
  const { url, signals, ended } = await simulating("--fault", "unavailable=1");
  assert.equal((await send({ url }, { body: chat("x") })).status, 503);
  signals.emit("SIGINT");
  assert.equal(await ended, 0);
});

test("any other option is set by its name, its value as JSON or as text", async () => {
  const { url, signals, ended } = await simulating(
    ...["--rpm", "60", "--set", "limitKind=bucket", "--set", "rateLimitHeaders=false", "--set", "retryAfter=none"],
    ...["--fault", "unavailable=0.001", "--set", 'faultRetryAfterMs={"unavailable":86400000}', "--set", "model=gpt=x"],
  );
  const first = await send({ url }, { body: chat("x") });
  assert.deepEqual([first.status, completionIn(first).model], [200, "gpt=x"]);
  const { status, headers } = await send({ url }, { body: chat("y") });
  assert.equal(status, 429);
  assert.deepEqual(
    Object.keys(headers).filter((name) => /^retry-after|^x-ratelimit/.test(name)),
    [],
  );
  signals.emit("SIGINT");
  assert.equal(await ended, 0);
});

test("a server of one's own is simulated: one slot, no sight of the schema, and forms that it knows", async () => {
  const { url, signals, ended } = await simulating(
    ...["--set", "slots=1", "--set", "showsSchema=false", "--set", 'responseFormats=["json_schema"]'],
    ...["--fault", "loop=0"],
  );
  const blind = completionIn(await send({ url }, { body: chat("x") }));
  assert.equal(blind.finishReason, "length");
  assert.equal((await send({ url }, { body: chat("x", { response_format: { type: "text" } }) })).status, 500);
  signals.emit("SIGINT");
  assert.equal(await ended, 0);
});

test("batches have their options, and stand among the figures at the end", async () => {
  const { url, signals, ended, written } = await simulating("--set", 'batch={"expires":1,"statusCase":"capitals"}');
  const batch = await new BatchClient({ url }).run(inputLines(2));
  assert.equal(batch.status, "Expired");
  signals.emit("SIGINT");
  assert.equal(await ended, 0);
  const { batches } = JSON.parse(written.stdout.slice(written.stdout.indexOf("{")));
  assert.deepEqual([batches[0].id, batches[0].status, batches[0].completed], [batch.id, "expired", 1]);
});

test("a mistake on the command line is one sentence, exit code 2", async () => {
  const missing = ["--answers-from", join(folder, "none.csv"), "--text-column", "a", "--label-column", "b"];
  const cases: [words: readonly string[], ...named: string[]][] = [
    [["--port", "eighty"], "--port", "'eighty'"],
    [["--fault", "serverError"], "--fault", "'serverError'"],
    [["--fault", "serverErr=0.1"], '"serverErr"', '"serverError"', "INVALID_OPTION"],
    [["--fault", "html=0.75", "--fault", "hang=0.75"], '"faults"', "1.5", "INVALID_OPTION"],
    [["--rpm", "0"], '"requestsPerMinute"', "INVALID_OPTION"],
    [["--answers-from", "x.csv"], '"--answers-from"', "--text-column", "--label-column", "INVALID_OPTION"],
    [["--set", "limitKind"], "--set", "'limitKind'", "limitKind=bucket"],
    [["--set", "port=1"], "--set", "--port"],
    [["--set", "limitKinds=bucket"], '"limitKinds"', '"limitKind"', "INVALID_OPTION"],
    [["--set", "limitKind=pail"], '"limitKind"', '"pail"', "INVALID_OPTION"],
    [["--set", 'faultRetryAfterMs={"rateLimit":-1}'], '"rateLimit"', "-1", "INVALID_OPTION"],
    [["--set", 'batch={"failedLines":2}'], '"failedLines"', "2", "INVALID_OPTION"],
    [missing, "none.csv", "SOURCE_FAILED"],
  ];
  for (const [words, ...named] of cases) {
    const { exitCode, stdout, stderr } = await commandLine(["simulate", ...words]);
    assert.deepEqual([exitCode, stdout], [2, ""], words.join(" "));
    for (const name of named) assert.ok(stderr.includes(name), `${name} in: ${stderr}`);
    assert.doesNotMatch(stderr, /\n {4}at /);
  }
});
