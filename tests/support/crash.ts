import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { SimulatorFaultName, SimulatorRequest } from "../../src/testing/simulator/faults.ts";
import { type AzureOpenAISimulator, startAzureOpenAISimulator } from "../../src/testing/simulator/server.ts";
import {
  type Ended,
  isJSON,
  linesOf,
  queryAll,
  type Running,
  settingsOf,
  startRun,
  until,
  wait,
} from "./disturbed-run.ts";
import { makeSource, makeTarget, noteOf } from "./disturbed-site.ts";
import { randomNumbers } from "./random-numbers.ts";

/** `csv-ordered` is the CSV sink with `preserveOrder`. */
export type CrashSink = "sqlite" | "csv" | "csv-ordered";

export interface CrashOptions {
  readonly sink: CrashSink;
  readonly rows: number;
  /** At least so many processes are killed. */
  readonly kills: number;
  /** Decides the moments. */
  readonly seed: number;
  /** Whether some requests get 429, 500, a reset or an answer that is not JSON, once each. @default false */
  readonly withFaults?: boolean;
  readonly concurrency?: number;
  readonly latencyMs?: number;
}

/** What was found, over all rounds: a round is a target that is filled by runs of which all but the last are killed. */
export interface CrashFigures {
  readonly sink: CrashSink;
  readonly rows: number;
  readonly concurrency: number;
  readonly rounds: number;
  readonly kills: number;
  /** Where the kills hit: before the first call of the process, between calls, or when all had been answered. */
  readonly killed: { readonly startingUp: number; readonly atWork: number; readonly finishing: number };
  readonly lost: number;
  readonly duplicated: number;
  readonly different: number;
  /** By the simulator's count, of an undisturbed run. */
  readonly undisturbedCalls: number;
  /** By the simulator's count, without those that it let fail on purpose. */
  readonly calls: number;
  /** `rounds` undisturbed runs, and for each kill what can have been in flight. */
  readonly allowedCalls: number;
  /** Answers that were given, and billed, a second time. */
  readonly paidTwice: number;
  readonly faults: number;
  /** Lines in dead letter files. */
  readonly deadLetters: number;
  /** Calls of a further run over the finished target. */
  readonly callsOfRerun: number;
  /** Whatever else did not hold, in words. */
  readonly problems: readonly string[];
  readonly seconds: number;
}

/** Kills runs of the real command at random moments, runs them again until they complete, and compares what they left. */
export async function crash(options: CrashOptions): Promise<CrashFigures> {
  const folder = mkdtempSync(join(tmpdir(), "llm-etl crash "));
  const { latencyMs = 5 } = options;
  const simulator = await startAzureOpenAISimulator({ latencyMs: { median: latencyMs, sigma: 0.5 } });
  try {
    return await new CrashTest(options, folder, simulator).run();
  } finally {
    await simulator.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** What a set of figures says against the promises of the journal; nothing if they were kept. */
export function brokenPromises(figures: CrashFigures): readonly string[] {
  const { lost, duplicated, different, deadLetters, calls, allowedCalls, callsOfRerun, problems } = figures;
  const counts = Object.entries({ lost, duplicated, different, deadLetters, callsOfRerun });
  return [
    ...counts.filter(([, count]) => count !== 0).map(([name, count]) => `${name}: ${count}`),
    ...(calls <= allowedCalls ? [] : [`calls: ${calls}, allowed are ${allowedCalls}`]),
    ...problems,
  ];
}

const pipeline = fileURLToPath(new URL("../fixtures/crash/pipeline.ts", import.meta.url));
/** How long the parts of an undisturbed run take: that is where the moments are drawn from. */
interface Pace {
  readonly startUpMs: number;
  readonly finishMs: number;
  readonly calls: number;
}

/** The place of one target, with its journal. */
type Site = string;

class CrashTest {
  readonly #options: CrashOptions;
  readonly #folder: string;
  readonly #simulator: AzureOpenAISimulator;
  readonly #concurrency: number;
  readonly #draw: () => number;
  readonly #problems: string[] = [];
  readonly #killed = { startingUp: 0, atWork: 0, finishing: 0 };
  readonly #counts = { lost: 0, duplicated: 0, different: 0, calls: 0, paidTwice: 0, faults: 0 };
  #deadLetters = 0;
  #callsOfRerun = 0;
  #kills = 0;
  /** In this round, in runs that had no call to make. */
  #lateKills = 0;
  #sites = 0;

  constructor(options: CrashOptions, folder: string, simulator: AzureOpenAISimulator) {
    this.#options = options;
    this.#folder = folder;
    this.#simulator = simulator;
    this.#concurrency = options.concurrency ?? 8;
    this.#draw = randomNumbers(options.seed);
  }

  async run(): Promise<CrashFigures> {
    const startedMs = performance.now();
    const { sink, rows, kills, withFaults = false } = this.#options;
    const undisturbed = this.#newSite();
    const pace = await this.#undisturbed(undisturbed);
    const expected = contentOf(undisturbed, this.#options);
    if (withFaults) this.#simulator.update({ fault: passingFault });
    if (expected.size !== rows) this.#problems.push(`the undisturbed run left ${expected.size} rows`);
    let rounds = 0;
    for (; this.#kills < kills; rounds += 1) await this.#round(pace, undisturbed, expected);
    const concurrency = this.#concurrency;
    if (withFaults && this.#counts.faults === 0) this.#problems.push("the simulator let no request fail");
    return {
      ...{ sink, rows, concurrency, rounds, kills: this.#kills, killed: this.#killed, ...this.#counts },
      undisturbedCalls: pace.calls,
      allowedCalls: rounds * pace.calls + this.#kills * concurrency,
      ...{ deadLetters: this.#deadLetters, callsOfRerun: this.#callsOfRerun, problems: this.#problems },
      seconds: Math.round(performance.now() - startedMs) / 1000,
    };
  }

  async #undisturbed(site: Site): Promise<Pace> {
    const startedMs = performance.now();
    const running = this.#start(site);
    const stop = new AbortController();
    const firstCall = until(() => this.#requests() > 0, stop.signal);
    const marks = { firstMs: 0, lastMs: 0, calls: 0 };
    const watching = firstCall.then(async () => {
      marks.firstMs = performance.now();
      while (!stop.signal.aborted) {
        if (this.#requests() > marks.calls) [marks.calls, marks.lastMs] = [this.#requests(), performance.now()];
        await setTimeout(1);
      }
    });
    this.#requireCompletion(await running.ended);
    stop.abort();
    await watching;
    const { startUpMs, finishMs } = {
      startUpMs: marks.firstMs - startedMs,
      finishMs: performance.now() - marks.lastMs,
    };
    return { startUpMs, finishMs, calls: this.#requests() };
  }

  /** Fills one target. */
  async #round(pace: Pace, undisturbed: Site, expected: Content): Promise<void> {
    this.#simulator.reset();
    this.#lateKills = 0;
    const site = this.#newSite();
    let completed = false;
    while (!completed && this.#kills < this.#options.kills) {
      completed = !(await this.#killOne(site, pace));
      this.#lookAt(site, expected);
    }
    if (!completed) this.#requireCompletion(await this.#start(site).ended);
    const { repeatedRequests, byFault } = this.#simulator.statistics();
    const faults = Object.values(byFault).reduce((sum, count) => sum + count, 0);
    const calls = this.#requests();
    this.#counts.calls += calls - faults;
    this.#counts.paidTwice += repeatedRequests;
    this.#counts.faults += faults;
    this.#compare(site, undisturbed, expected);
    this.#requireCompletion(await this.#start(site).ended);
    this.#callsOfRerun += this.#requests() - calls;
    this.#compare(site, undisturbed, expected);
    this.#requireTidy(site);
  }

  /** Runs the command and kills it at a random moment. False if it ended by itself before: then it has completed. */
  async #killOne(site: Site, pace: Pace): Promise<boolean> {
    const before = this.#requests();
    const missing = pace.calls - this.#answered();
    const running = this.#start(site);
    const gone = new AbortController();
    running.child.once("exit", () => gone.abort());
    await this.#moment(pace, missing, gone.signal);
    running.child.kill("SIGKILL");
    const ended = await running.ended;
    if (ended.signal !== "SIGKILL") {
      this.#requireCompletion(ended);
      return false;
    }
    this.#kills += 1;
    const phase = this.#answered() >= pace.calls ? "finishing" : this.#requests() === before ? "startingUp" : "atWork";
    this.#killed[phase] += 1;
    return true;
  }

  /** Waits for the moment of a kill; `missing` calls had not been answered before the process began. */
  async #moment({ startUpMs, finishMs, calls }: Pace, missing: number, gone: AbortSignal): Promise<void> {
    const kind = this.#draw();
    if (kind < 0.15) return await wait(this.#draw() * 1.2 * startUpMs, gone);
    if (missing <= 0) {
      this.#lateKills += 1; // each a little later than the last, for the runs are to come to an end
      return await wait((0.4 + this.#draw() + 0.1 * this.#lateKills) * (startUpMs + finishMs), gone);
    }
    // Most of the calls are to be made in the killed processes; some go on to the end.
    const perKill = kind > 0.92 ? missing : Math.ceil(((2 * calls) / this.#options.kills) * this.#draw());
    const wanted = this.#answered() + Math.min(missing, perKill);
    await until(() => this.#answered() >= wanted, gone);
    await wait(this.#draw() * (perKill >= missing ? finishMs : 6), gone);
  }

  /** A killed CSV run leaves the file of an earlier run, or none: never a part of one. */
  #lookAt(site: Site, expected: Content): void {
    if (this.#options.sink === "sqlite" || !existsSync(join(site, "enriched.csv"))) return;
    const found = contentOf(site, this.#options).size;
    if (found !== expected.size) this.#problems.push(`a killed run left a file of ${found} rows under its final name`);
  }

  #compare(site: Site, undisturbed: Site, expected: Content): void {
    const found = contentOf(site, this.#options);
    for (const [id, [wanted]] of expected) {
      const [first, ...more] = found.get(id) ?? [];
      if (first === undefined) this.#counts.lost += 1;
      else if (first !== wanted) this.#counts.different += 1;
      this.#counts.duplicated += more.length;
    }
    for (const id of found.keys()) if (!expected.has(id)) this.#problems.push(`a row ${id} that the source has not`);
    if (this.#options.sink !== "csv-ordered") return;
    const [ours, theirs] = [site, undisturbed].map((one) => readFileSync(join(one, "enriched.csv")));
    if (ours === undefined || theirs?.equals(ours) !== true)
      this.#problems.push("the file is not the same to the byte");
  }

  #requireTidy(site: Site): void {
    const journal = join(site, "journal", "crash.db");
    const leftovers = [`${journal}-wal`, `${journal}-shm`, `${journal}.new`, join(site, "enriched.csv.partial")];
    for (const path of leftovers) if (existsSync(path)) this.#problems.push(`${path} was left`);
    for (const path of [journal, ...(this.#options.sink === "sqlite" ? [join(site, "target.db")] : [])]) {
      const found = JSON.stringify(queryAll(path, "PRAGMA integrity_check"));
      if (found !== '[{"integrity_check":"ok"}]') this.#problems.push(`${path}: ${found}`);
    }
    this.#deadLetters += linesOf(join(site, "failed.jsonl")).length;
    // A line that a kill cut off is ended by the next run: each kill may spoil one, and no other.
    const torn = linesOf(join(site, "payloads.jsonl")).filter((line) => !isJSON(line)).length;
    if (torn > this.#kills) this.#problems.push(`${torn} lines of the payload log can't be read`);
  }

  #requireCompletion({ code, stdout, stderr }: Ended): void {
    if (code === 0 && stdout === `Processed: ${this.#options.rows}, Failed: 0\n`) return;
    throw new Error(`a run ended with ${code}: ${stdout}${stderr}`);
  }

  #newSite(): Site {
    const site = join(this.#folder, String((this.#sites += 1)));
    makeSite(site, this.#options.rows);
    return site;
  }

  #start(site: Site): Running {
    const env = {
      CRASH_FOLDER: site,
      CRASH_SINK: this.#options.sink,
      CRASH_CONCURRENCY: String(this.#concurrency),
      ...settingsOf(this.#simulator),
    };
    return startRun(["run", pipeline], site, env);
  }

  #requests(): number {
    return this.#simulator.statistics().requests;
  }

  /** Different requests that have had their answer. */
  #answered(): number {
    const { byStatus, repeatedRequests, byFault } = this.#simulator.statistics();
    return (byStatus["200"] ?? 0) - repeatedRequests - (byFault["invalidJSON"] ?? 0);
  }
}

/** Which requests fail, and how: never so often that a row is given up. */
export function passingFault({ messages, timesSeen }: SimulatorRequest): SimulatorFaultName | undefined {
  const text = messages.map(({ content }) => content).join("\n");
  const draw = randomNumbers([...text].reduce((sum, one) => (Math.imul(sum, 31) + one.charCodeAt(0)) | 0, 7))();
  if (messages.length === 2 && draw < 0.05) return "invalidJSON";
  if (timesSeen > 0) return undefined;
  return draw < 0.08 ? "serverError" : draw < 0.1 ? "connectionReset" : draw < 0.12 ? "rateLimit" : undefined;
}

/** A source of so many rows, of which each tenth has the text of the one before it, and an empty target. */
function makeSite(site: Site, rows: number): void {
  mkdirSync(site);
  const notes = Array.from({ length: rows }, (_, index) => index + 1).map((number) => ({
    id: `n${number}`,
    note: noteOf(number % 10 === 0 ? number - 1 : number),
  }));
  makeSource(join(site, "source.db"), notes);
  makeTarget(join(site, "target.db"));
}

/**
 * The rows of a target by id, as text: those of a table without what tells the time, and, where answers had to be asked for
 * again, without the tokens that it took.
 */
type Content = ReadonlyMap<string, readonly string[]>;

function contentOf(site: Site, { sink, withFaults = false }: CrashOptions): Content {
  const withTokens = !withFaults;
  const rows =
    sink === "sqlite"
      ? queryAll(join(site, "target.db"), "SELECT * FROM enriched").map((row) => {
          const { started_at: _, completed_at: __, run_id: ___, tokens, ...others } = row;
          return [String(others["id"]), JSON.stringify(withTokens ? { ...others, tokens } : others)] as const;
        })
      : linesOf(join(site, "enriched.csv"))
          .slice(1)
          .map((line) => [line.split(",", 1)[0] ?? "", line] as const);
  const content = new Map<string, string[]>();
  for (const [id, row] of rows) content.set(id, [...(content.get(id) ?? []), row]);
  return content;
}
