/**
 * Attacks runs and replays of the real command at random: kills, full disks, a service that fails. Prints what was lost, doubled
 * and paid for again, exits with 1 where a promise was broken, and keeps the figures in RESULTS.md. Usage: node
 * benchmarks/attack.ts [--over files|server] [--minutes 20] [--seed N] [--rows 400]; run `npm run build` first. Only root may fill disks.
 * Over a server (a PostgreSQL of its own, with source, target and journal) it ends after 50 kills, 10 restarts and crashes, 10 cuts and 2 silences
 * of the network, which take some six minutes.
 */
import { parseArgs } from "node:util";
import {
  attack,
  type AttackFigures,
  type AttackFlowName,
  attackFlows,
  isOverServer,
  promisesBroken,
} from "../tests/support/attack.ts";
import { circumstances } from "./report/machine.ts";
import { keepResult } from "./report/results.ts";
import { terminalText } from "./report/terminal.ts";
import type { SuiteResult } from "./suites/suite.ts";

const { values } = parseArgs({
  options: {
    over: { type: "string", default: "files" },
    minutes: { type: "string", default: "20" },
    seed: { type: "string" },
    rows: { type: "string", default: "400" },
  },
});
const [minutes, rows] = [Number(values.minutes), Number(values.rows)];
const seed = Number(values.seed ?? Math.floor(Math.random() * 1_000_000));
const overServer = values.over === "server";
const command = `node benchmarks/attack.ts ${overServer ? "--over server" : `--minutes ${minutes}`} --seed ${seed}`;
console.log(`${command} --rows ${rows}`);
const before = circumstances(command);
const endMs = performance.now() + minutes * 60_000;
const isEnough = (): boolean => overServer || performance.now() > endMs;
/** Drawn in any order; the network is silent for longer than a save is waited for. */
const server = {
  troubles: { kill: 50, restart: 5, crash: 5, cut: 10, silence: 2 },
  troubleMs: { silence: 45_000 },
  latencyMs: 20,
};

const ending =
  "A fifth of the requests fails or gets a bad answer, and the service is away for up to half a second now and then. A tenth of the rows is bad: declined, filtered, too long, or not what the schema says. " +
  "Then each good row is in the target once, with the values of an undisturbed run, each bad one is in the dead letters once, with its code, and the counts of the report add up. ";
const aboutFiles =
  `${minutes} minutes with seed ${seed}: four flows side by side, ${rows} rows and two calls each, 16 in flight; payload log, journal and dead letter file on. ` +
  "Each round fills a target by runs of the built command of which all but the last two are disturbed at a random moment: by `kill -9`, or by a disk that is full until the run ends (a tmpfs). " +
  `${ending}Allowed are the calls in flight for each kill and full disk.`;
const aboutServer =
  `Seed ${seed}: source, target and journal (its answers encrypted) in one PostgreSQL, behind a proxy; ${rows} rows and two calls each, 16 in flight. ` +
  "Each round fills a target by runs of the built command of which all but the last two are disturbed at random moments: by `kill -9`, by a server that is restarted or crashes, by a network that is cut for up to 1.5 s, or is silent for up to 45 s. " +
  `${ending}No line of the journal is there twice, and no answer can be read in it. Allowed are the calls in flight for each kill, and for each run that its database stopped (exit code 3).`;

// Object.keys() tells the names as texts; these are the keys of the object.
const flows = (Object.keys(attackFlows) as AttackFlowName[]).filter((flow) => isOverServer(flow) === overServer);
const found = await Promise.all(
  flows.map(async (flow, index) => {
    const options = { flow, rows, seed: seed + index, disturbances: 8, concurrency: 16, isEnough };
    const figures = await attack({ ...options, ...(overServer && server) });
    for (const broken of promisesBroken(figures)) console.error(`${flow}: ${broken}`);
    return { flow, figures };
  }),
);
const result = resultOf(found);
console.log(terminalText(result));
if (result.budgets.some(({ isMet }) => !isMet)) process.exitCode = 1;
keepResult(overServer ? "attack-server" : "attack", before, result);

function resultOf(all: readonly { readonly flow: string; readonly figures: AttackFigures }[]): SuiteResult {
  const ofDisk = ["diskFull", "stoppedByDisk"] as const;
  const ofServer = ["restart", "crash", "cut", "silence", "stoppedByServer"] as const;
  const counts = ["rounds", "runs", "kills", ...(overServer ? ofServer : ofDisk), "outages", "faults"] as const;
  const ends = ["rows", "lost", "doubled", "wrong", "repaid", "allowed", "halfLines"] as const;
  const total = (names: (keyof AttackFigures)[]): number =>
    names.reduce((sum, name) => sum + all.reduce((more, { figures }) => more + Number(figures[name]), 0), 0);
  const zero = (what: string, names: (keyof AttackFigures)[]): SuiteResult["budgets"][number] => {
    return { what, budget: "≤ 0", measured: String(total(names)), isMet: total(names) === 0 };
  };
  const problems = all.reduce((sum, { figures }) => sum + figures.problems.length, 0);
  return {
    about: overServer ? aboutServer : aboutFiles,
    tables: [
      {
        title: "disturbed",
        columns: ["flow", ...counts.map(wordsOf)],
        rows: all.map(({ flow, figures }) => [flow, ...counts.map((name) => figures[name])]),
      },
      {
        title: "left",
        columns: ["flow", ...ends.map(wordsOf), "other problems"],
        rows: all.map(({ flow, figures }) => [flow, ...ends.map((name) => figures[name]), figures.problems.length]),
      },
    ],
    budgets: [
      zero("rows lost under attack", ["lost"]),
      zero("rows doubled under attack", ["doubled"]),
      zero("rows wrong under attack", ["wrong"]),
      {
        what: `answers paid for again under attack, by those in flight at kills and ${overServer ? "stops" : "full disks"}`,
        budget: `≤ ${total(["allowed"])}`,
        measured: String(total(["repaid"])),
        isMet: all.every(({ figures }) => figures.repaid <= figures.allowed),
      },
      { what: "other promises broken under attack", budget: "≤ 0", measured: String(problems), isMet: problems === 0 },
    ],
    measurements: all.map(({ flow, figures }) => ({ flow, ...figures })),
  };
}

/** A figure's name in words: `diskFull` is "disk full". */
function wordsOf(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
}
