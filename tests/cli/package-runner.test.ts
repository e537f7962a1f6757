import assert from "node:assert/strict";
import { EventEmitter } from "node:events";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { PackageRunner, type ProcessFacts } from "../../src/cli/package-runner.ts";
import { runCommandLine } from "../../src/cli/program.ts";
import { stopSignals } from "../../src/cli/signals.ts";
import { RunError } from "../../src/index.ts";
import { testTerminal } from "../support/terminal.ts";

const env = { npm_execpath: "/usr/lib/node_modules/npm/bin/npm-cli.js" };

/** A machine on which these commands have started one another, the oldest last; its processes have the numbers 10, 11, 12 … */
function machine(...commands: readonly (string | readonly string[])[]) {
  const all = new Map<number, ProcessFacts>();
  commands.forEach((command, index) => {
    const words = typeof command === "string" ? command.split(" ") : command;
    all.set(10 + index, { words, parentId: index === commands.length - 1 ? 1 : 11 + index });
  });
  let parentId = 10;
  return {
    processes: { parentId: () => parentId, factsOf: (id: number) => all.get(id) },
    end: (id: number): void => {
      all.delete(id);
      if (parentId === id) parentId = 1;
      for (const [other, facts] of all) if (facts.parentId === id) all.set(other, { ...facts, parentId: 1 });
    },
  };
}

const npx = "npm exec llm-etl run pipeline.ts";

test("npx, npm, pnpm and yarn are found, as the parent or behind shells; anything else between them is not", () => {
  for (const [name, ...commands] of [
    ["npm", npx],
    ["npm", "sh -c 'llm-etl' run", npx],
    ["npm", "bash ./etl.sh", "/bin/sh -c ./etl.sh", "npm run etl"],
    ["npx", "sh -c llm-etl", "node /usr/lib/node_modules/npm/bin/npx-cli.js llm-etl"],
    ["npm", "dash -c llm-etl", "/usr/bin/node --no-warnings /usr/lib/node_modules/npm/bin/npm-cli.js run etl"],
    ["pnpm", "/usr/bin/node /usr/lib/node_modules/pnpm/bin/pnpm.cjs exec llm-etl"],
    ["yarn", "/bin/sh -c llm-etl", "node /usr/share/yarn/bin/yarn.js run etl"],
    ["yarn", "/bin/sh -c llm-etl", "node /srv/app/.yarn/releases/yarn-4.9.1.cjs run etl"],
    ["bun", "bun run etl"],
    ["corepack", "node /usr/lib/node_modules/corepack/corepack.js yarn etl"],
    ["npm", "node /app/node_modules/.bin/cross-env A=1 llm-etl", "sh -c cross-env A=1 llm-etl", "npm run etl"],
    ["yarn", "sh -c llm-etl", "npm run etl", "sh -c npm run etl", "node /usr/share/yarn/bin/yarn.js nightly"],
    ["npm", "sh -c llm-etl", npx, "bash", "sshd: jane"],
    [undefined, "bash"],
    [undefined, "-bash", "sshd: jane"],
    [undefined, "bash -c npm", "sshd: jane"],
    [undefined, "node server.js npm"],
    [undefined, "node /srv/npm/server.js", "sh -c node server.js", "npm run start"],
    [undefined, "sh -c a", "sh -c b", "sh -c c", "sh -c d", "sh -c e", "sh -c f", npx],
    [undefined],
  ] as const) {
    const found = PackageRunner.find(env, machine(...commands.map(String)).processes);
    assert.equal(found?.name, name, commands.join(" < "));
  }
  const inOddFolder = machine(["/Users/jane doe/bin/node", "/Users/jane doe/lib/npm-cli.js", "exec", "llm-etl"]);
  assert.equal(PackageRunner.find(env, inOddFolder.processes)?.name, "npm");
  assert.equal(PackageRunner.find({}, machine(npx).processes), undefined, "the parent is npx by name only");
});

for (const [what, commands, endedId] of [
  ["the runner, which is the parent", [npx], 10],
  ["the shell and the runner", ["sh -c llm-etl", npx], 10],
  ["the runner, and its shell stays", ["sh -c llm-etl", npx], 11],
  ["the runner of two shells, which stay", ["bash x.sh", "sh -c x.sh", npx], 12],
  ["a runner of a runner, which stays", ["sh -c llm-etl", npx, "sh -c npx llm-etl", "npm run etl"], 13],
  ["the shell of a runner's runner", ["sh -c llm-etl", npx, "sh -c npx llm-etl", "npm run etl"], 12],
] as const) {
  test(`the end of ${what} is noticed, once; before that there is none`, (t) => {
    t.mock.timers.enable({ apis: ["setInterval"] });
    const { processes, end } = machine(...commands);
    const runner = PackageRunner.find(env, processes) ?? assert.fail("not found");
    let ended = 0;
    runner.onEnd(() => (ended += 1));
    const unwatch = runner.onEnd(() => assert.fail("nobody watches"));
    t.mock.timers.tick(60_000);
    assert.equal(ended, 0);
    unwatch();
    end(endedId);
    t.mock.timers.tick(1000);
    assert.equal(ended, 1);
    t.mock.timers.tick(60_000);
    assert.equal(ended, 1);
  });
}

test("the end of the runner stops the run as a first signal does; after a Ctrl-C it changes nothing", (t) => {
  t.mock.timers.enable({ apis: ["setInterval"] });
  for (const isInterrupted of [false, true]) {
    const { processes, end } = machine("sh -c llm-etl", npx);
    const said: string[] = [];
    const signals = new EventEmitter();
    const terminal = Object.assign(signals, { runner: PackageRunner.find(env, processes) });
    const stops = stopSignals(terminal, (line) => said.push(line));
    if (isInterrupted) signals.emit("SIGINT");
    end(11);
    t.mock.timers.tick(1000);
    assert.deepEqual([stops.signal.aborted, stops.stopNowSignal.aborted, said.length], [true, false, 1]);
    const reason: unknown = stops.signal.reason;
    assert.ok(reason instanceof RunError && reason.code === "ABORTED");
    assert.deepEqual(reason.facts, isInterrupted ? { signal: "SIGINT" } : { runner: "npm" });
    stops.release();
  }
});

test("a run that npx started, and that it leaves behind, is stopped and reported", async () => {
  const { processes, end } = machine("sh -c llm-etl", npx);
  const signals = new EventEmitter();
  const terminal = { ...testTerminal({ signals, env }), processes };
  const path = fileURLToPath(new URL("../fixtures/pipelines/waits.ts", import.meta.url));
  const running = runCommandLine(["run", path], terminal);
  while (signals.listenerCount("SIGINT") === 0) await new Promise((resolve) => setImmediate(resolve));
  end(11);
  assert.equal(await running, 3);
  assert.match(terminal.written.stderr, /^npm has ended: stopping\./m);
  assert.match(terminal.written.stderr, /^aborted: llm-etl: .* \[ABORTED\]$/m);
});
