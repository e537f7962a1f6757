import { spawnSync } from "node:child_process";
import { existsSync, ftruncateSync, mkdirSync, mkdtempSync, openSync, closeSync, readFileSync } from "node:fs";
import { rmSync, writeFileSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { parse } from "csv-parse/sync";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import type { SimulatorFaultName, SimulatorRequest } from "../../src/testing/simulator/faults.ts";
import { type AzureOpenAISimulator, startAzureOpenAISimulator } from "../../src/testing/simulator/server.ts";
import { passingFault } from "./crash.ts";
import * as disturbed from "./disturbed-run.ts";
import { randomNumbers } from "./random-numbers.ts";
import { makeSource, makeTarget, type NoteRow, noteOf } from "./disturbed-site.ts";
import { type AttackedServer, type DatabaseTrouble, startAttackedServer } from "./postgresql/attacked-server.ts";

/** A way of rows that is attacked. `replay` replays the dead letters of a run, after the service has been mended. */
export const attackFlows = {
  "SQLite to SQLite": { source: "sqlite", sink: "sqlite", command: "run" },
  "CSV to CSV": { source: "csv", sink: "csv", command: "run" },
  "SQLite to CSV, in its order": { source: "sqlite", sink: "csv-ordered", command: "run" },
  "replay of dead letters": { source: "csv", sink: "sqlite", command: "replay" },
  "PostgreSQL to PostgreSQL, with its journal there": { source: "postgresql", sink: "postgresql", command: "run" },
} as const;

/** With files the disk is full now and then; with a server it is the server that has troubles, and the way to it. */
export function isOverServer(flow: AttackFlowName): boolean {
  return attackFlows[flow].source === "postgresql";
}

export type AttackFlowName = keyof typeof attackFlows;

export interface AttackOptions {
  readonly flow: AttackFlowName;
  readonly rows: number;
  /** Decides moments, kinds and rows. */
  readonly seed: number;
  /** Rounds go on until it returns true; there is at least one. */
  readonly isEnough: (figures: AttackFigures) => boolean;
  /** At most so many disturbed runs a round. @default 5 */
  readonly disturbances?: number;
  /** For a flow over a server: so many of each are drawn, in any order. Rounds go on until all were. */
  readonly troubles?: Readonly<Record<"kill" | DatabaseTrouble, number>>;
  /** The longest time that a trouble lasts, in milliseconds; a silence lasts for half of it at least. @default 1500 */
  readonly troubleMs?: Partial<Readonly<Record<DatabaseTrouble, number>>>;
  readonly concurrency?: number;
  readonly latencyMs?: number;
}

/** What was found, over all rounds. A round fills one target by runs of which all but the last are disturbed. */
export interface AttackFigures {
  rounds: number;
  /** Processes that were started. */
  runs: number;
  kills: number;
  /** Runs during which the disk was full; 0 where no file system can be mounted. */
  diskFull: number;
  /** Of these, the runs that it stopped. */
  stoppedByDisk: number;
  /** Troubles of a server, and of the way to it, while a run was going on. */
  restart: number;
  crash: number;
  cut: number;
  silence: number;
  /** The runs that they stopped: those that they did not are to ask for nothing twice. */
  stoppedByServer: number;
  /** Their words, and those of the runs that were refused before their first call. */
  readonly stops: string[];
  /** Outages of the service, of a few tenths of a second. */
  outages: number;
  /** Single requests that failed, or got an answer that was no good. */
  faults: number;
  /** Rows of the source, over all rounds. */
  rows: number;
  /** Good rows that are not in the target, and bad ones that are not in the dead letters. */
  lost: number;
  /** Rows that are twice in the target, or in the dead letters. */
  doubled: number;
  /** Rows with other values than in an undisturbed run, and bad ones with another code. */
  wrong: number;
  /** Answers of the service that were good, by its own count, and those that an undisturbed run needs. */
  calls: number;
  needed: number;
  /** The difference, and what the journal allows: for each disturbance, the calls in flight. */
  repaid: number;
  allowed: number;
  /** Lines of JSONL files that can't be read. */
  halfLines: number;
  /** Whatever else did not hold, in words. */
  readonly problems: string[];
}

/** Attacks one flow, and counts what is left. */
export async function attack(options: AttackOptions): Promise<AttackFigures> {
  const disk = new SmallDisk();
  const simulator = await startAzureOpenAISimulator({ latencyMs: { median: options.latencyMs ?? 4, sigma: 0.5 } });
  let server: AttackedServer | undefined;
  try {
    if (isOverServer(options.flow)) server = await startAttackedServer();
    return await new Attack(options, disk, simulator, server).run();
  } finally {
    await server?.remove();
    await simulator.close();
    disk.remove();
  }
}

/** What a set of figures says against the promises; nothing if they were kept. */
export function promisesBroken(figures: AttackFigures): readonly string[] {
  const { lost, doubled, wrong, halfLines, kills, repaid, allowed, problems } = figures;
  return [
    ...Object.entries({ lost, doubled, wrong }).flatMap(([name, count]) => (count === 0 ? [] : [`${name}: ${count}`])),
    ...(repaid <= allowed ? [] : [`paid again: ${repaid}, allowed are ${allowed}`]),
    // A kill may cut off the line that is being written, which the next run ends; nothing else may.
    ...(halfLines <= kills ? [] : [`half lines: ${halfLines}, after ${kills} kills`]),
    ...problems,
  ];
}

/** Whether this process may mount the file system that is filled; in a test, the reason why not. */
export function canFillDisks(): boolean {
  const disk = new SmallDisk();
  disk.remove();
  return disk.isLimited;
}

const diskBytes = 32 * 1024 * 1024;

/** A folder on a file system of its own, which can be filled; where that can't be mounted, any folder. */
class SmallDisk {
  readonly folder = mkdtempSync(join(tmpdir(), "llm-etl attack "));
  readonly isLimited: boolean;
  readonly #ballast = join(this.folder, "ballast");

  constructor() {
    const mounting = ["-t", "tmpfs", "-o", `size=${diskBytes},mode=0700`, "tmpfs", this.folder];
    this.isLimited = spawnSync("mount", mounting).status === 0;
  }

  /** Takes all room but so many bytes. */
  fill(remaining: number): void {
    const file = openSync(this.#ballast, "w");
    let size = 0;
    for (let chunk = Buffer.alloc(1024 * 1024); chunk.length >= 4096;) {
      try {
        size += writeSync(file, chunk);
      } catch {
        chunk = chunk.subarray(0, chunk.length / 2); // full for this many: try fewer
      }
    }
    ftruncateSync(file, Math.max(0, size - remaining));
    closeSync(file);
  }

  release(): void {
    rmSync(this.#ballast, { force: true });
  }

  remove(): void {
    if (this.isLimited) spawnSync("umount", [this.folder]);
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** The bad rows: the mark in their note, their share, and the code with which they fail. */
const badKinds = [
  { mark: "(declined)", share: 0.03, code: "REFUSAL", fault: "refusal" },
  { mark: "(filtered)", share: 0.02, code: "CONTENT_FILTER", fault: "contentFilterPrompt" },
  { mark: "(longest)", share: 0.01, code: "CONTEXT_LENGTH_EXCEEDED", fault: "contextLength" },
  { mark: "Damaged", share: 0.03, code: "ROW_SCHEMA_MISMATCH", fault: undefined },
  { mark: "(mended)", share: 0.3, code: "REFUSAL", fault: "refusal" },
] as const;

interface Row extends NoteRow {
  /** The code with which it fails at the end; undefined for a good one. */
  readonly code: string | undefined;
}

const pipeline = fileURLToPath(new URL("../fixtures/crash/pipeline.ts", import.meta.url));

const Ending = z.object({
  type: z.enum(["run-end", "replay-end"]),
  report: z.object({
    exitCode: z.number(),
    readCount: z.number(),
    successCount: z.number(),
    failureCount: z.number(),
    skippedCount: z.number(),
    pendingCount: z.number(),
    remainingCount: z.number().optional(),
  }),
});
/** A letter without a key is about no row: a run that an error has ended. */
const Letter = z.object({ pk: z.string().nullable(), error_code: z.string(), error_message: z.string() });

type Values = Readonly<Record<string, unknown>>;

class Attack {
  readonly #options: AttackOptions;
  readonly #flow: (typeof attackFlows)[AttackFlowName];
  readonly #disk: SmallDisk;
  readonly #simulator: AzureOpenAISimulator;
  /** Undefined for a flow over files. */
  readonly #server: AttackedServer | undefined;
  /** The troubles that are still to come. */
  readonly #troubles: ("kill" | DatabaseTrouble)[];
  readonly #concurrency: number;
  readonly #draw: () => number;
  readonly #rows: readonly Row[];
  readonly #figures: AttackFigures = {
    ...{ rounds: 0, runs: 0, kills: 0, diskFull: 0, stoppedByDisk: 0, outages: 0, faults: 0, rows: 0 },
    ...{ restart: 0, crash: 0, cut: 0, silence: 0, stoppedByServer: 0, stops: [] },
    ...{ lost: 0, doubled: 0, wrong: 0, calls: 0, needed: 0, repaid: 0, allowed: 0, halfLines: 0, problems: [] },
  };
  /** True where the service no longer declines the rows of the kind `(mended)`. */
  #isMended = false;
  #isCalm = true;

  constructor(
    options: AttackOptions,
    disk: SmallDisk,
    simulator: AzureOpenAISimulator,
    server: AttackedServer | undefined,
  ) {
    this.#options = options;
    this.#flow = attackFlows[options.flow];
    this.#disk = disk;
    this.#simulator = simulator;
    this.#server = server;
    this.#concurrency = options.concurrency ?? 8;
    this.#draw = randomNumbers(options.seed);
    const { kill = 0, restart = 0, crash = 0, cut = 0, silence = 0 } = options.troubles ?? {};
    this.#troubles = Object.entries({ kill, restart, crash, cut, silence })
      // Object.entries() tells the names as texts; these are the keys of the object.
      .flatMap(([kind, count]) => Array<"kill" | DatabaseTrouble>(count).fill(kind as DatabaseTrouble))
      .map((kind) => ({ kind, order: this.#draw() }))
      .toSorted((one, other) => one.order - other.order)
      .map(({ kind }) => kind);
    this.#rows = this.#makeRows(options.rows);
  }

  async run(): Promise<AttackFigures> {
    this.#simulator.update({ fault: (request) => this.#fault(request) });
    const undisturbed = await this.#newSite(0);
    const needed = await this.#undisturbed(undisturbed);
    const expected = new Map((await this.#targetOf(undisturbed)).map((row) => [String(row["id"]), comparable(row)]));
    if (expected.size !== this.#rows.filter(({ code }) => code === undefined).length)
      this.#problem("undisturbed", `${expected.size} rows are in the target`);
    await this.#check("undisturbed", undisturbed, expected);
    rmSync(undisturbed, { recursive: true });
    do await this.#round(needed, expected);
    while (
      (this.#troubles.length > 0 || !this.#options.isEnough(this.#figures)) &&
      this.#figures.problems.length === 0
    );
    return this.#figures;
  }

  #makeRows(count: number): readonly Row[] {
    const kinds = badKinds.filter(({ mark }) => mark !== "(mended)" || this.#flow.command === "replay");
    return Array.from({ length: count }, (_, index): Row => {
      const number = index + 1;
      const id = `n${number}`;
      let draw = this.#draw();
      for (const { mark, share, code } of kinds) {
        draw -= share;
        if (draw >= 0) continue;
        const note = mark === "Damaged" ? `Damaged ${number}` : `${noteOf(number)} ${mark}`;
        return { id, note, code: mark === "(mended)" ? undefined : code };
      }
      return { id, note: noteOf(number % 10 === 0 ? number - 1 : number), code: undefined };
    });
  }

  #fault(request: SimulatorRequest): SimulatorFaultName | undefined {
    const text = request.messages.map(({ content }) => content).join("\n");
    const bad = badKinds.find(({ mark, fault }) => fault !== undefined && text.includes(mark));
    if (bad !== undefined && !(bad.mark === "(mended)" && this.#isMended)) return bad.fault;
    if (this.#isCalm) return undefined;
    if (request.timesSeen === 0 && this.#draw() < 0.02) return this.#draw() < 0.5 ? "truncatedBody" : "html";
    return passingFault(request);
  }

  /** One run, or a run and a replay, that nothing disturbs. Returns the good answers that it took. */
  async #undisturbed(site: string): Promise<number> {
    [this.#isCalm, this.#isMended] = [true, false];
    this.#simulator.reset();
    await this.#prepare(site);
    await this.#finish("undisturbed", site);
    return this.#goodAnswers();
  }

  /** Before a replay can be attacked, there must be dead letters; then the service is mended. */
  async #prepare(site: string): Promise<void> {
    if (this.#flow.command !== "replay") return;
    await this.#expectEnd("the run before the replay", this.#start(site, "run"), 1);
    this.#isMended = true;
  }

  async #round(needed: number, expected: ReadonlyMap<string, string>): Promise<void> {
    const figures = this.#figures;
    figures.rounds += 1;
    figures.rows += this.#rows.length;
    const name = `round ${figures.rounds}`;
    const site = await this.#newSite(figures.rounds);
    [this.#isCalm, this.#isMended] = [true, false];
    this.#simulator.reset();
    await this.#prepare(site);
    this.#isCalm = false;
    const disturbances = 2 + Math.floor(this.#draw() * ((this.#options.disturbances ?? 5) - 1));
    const before = this.#disturbances();
    for (let count = 0; count < disturbances; count += 1) {
      const run = `${name}, disturbed run ${count + 1}`;
      if (this.#server === undefined) await this.#disturb(run, site, needed, expected);
      else await this.#disturbServer(this.#server, run, site, needed);
    }
    await this.#finish(name, site);
    await this.#check(name, site, expected);
    const calls = this.#goodAnswers();
    figures.calls += calls;
    figures.needed += needed;
    figures.repaid += Math.max(0, calls - needed);
    figures.allowed += (this.#disturbances() - before) * this.#concurrency;
    figures.faults += Object.values(this.#simulator.statistics().byFault).reduce((sum, count) => sum + count, 0);
    rmSync(site, { recursive: true });
  }

  #disturbances(): number {
    return this.#figures.kills + this.#figures.diskFull + this.#figures.stoppedByServer;
  }

  /** Starts the command; at random moments its database has troubles, until it is killed, or has come to its end. */
  async #disturbServer(server: AttackedServer, name: string, site: string, needed: number): Promise<void> {
    const figures = this.#figures;
    const running = this.#start(site);
    const gone = new AbortController();
    running.child.once("exit", () => gone.abort());
    if (this.#draw() < 0.3) void this.#outage(gone.signal);
    let isKilled = false;
    let troubles = 0;
    while (!isKilled) {
      await this.#moment(needed, gone.signal);
      const kind = gone.signal.aborted ? undefined : this.#troubles.pop();
      if (kind === undefined) break;
      isKilled = kind === "kill";
      if (kind === "kill") running.child.kill("SIGKILL");
      else {
        const longest = this.#options.troubleMs?.[kind] ?? 1500;
        const share = kind === "silence" ? (1 + this.#draw()) / 2 : this.#draw();
        await server.trouble(kind, share * longest);
        figures[kind] += 1;
        troubles += 1;
      }
    }
    const { code, signal, stdout, stderr } = await running.ended;
    this.#simulator.update({ outage: false });
    if (signal === "SIGKILL" && isKilled) figures.kills += 1;
    else {
      if (isKilled) this.#troubles.push("kill"); // it came too late
      if (troubles > 0 && (code === 2 || code === 3)) {
        if (code === 3) figures.stoppedByServer += 1;
        figures.stops.push(`${code}: ${stderr.trim().split("\n")[0]}`);
      } else if (code !== 0 && code !== 1)
        this.#problem(name, `it ended with ${signal ?? code}: ${stdout.slice(-800)}${stderr}`);
    }
  }

  /** Starts the command, and at a random moment kills it or fills the disk; now and then the service has an outage. */
  async #disturb(name: string, site: string, needed: number, expected: ReadonlyMap<string, string>): Promise<void> {
    const figures = this.#figures;
    const fills = this.#disk.isLimited && this.#draw() < 0.45;
    const halfBefore = halfLinesIn(site);
    const running = this.#start(site);
    const gone = new AbortController();
    running.child.once("exit", () => gone.abort());
    if (this.#draw() < 0.3) void this.#outage(gone.signal);
    await this.#moment(needed, gone.signal);
    const kills = !fills || this.#draw() < 0.2;
    if (fills && !gone.signal.aborted) {
      this.#disk.fill(Math.floor(this.#draw() * 48 * 1024));
      figures.diskFull += 1;
      if (kills) await disturbed.wait(this.#draw() * 100, gone.signal);
    }
    if (kills) running.child.kill("SIGKILL");
    const { code, signal, stdout, stderr } = await running.ended;
    this.#disk.release();
    this.#simulator.update({ outage: false });
    if (signal === "SIGKILL" && kills) figures.kills += 1;
    else if (fills && (code === 3 || code === 2)) figures.stoppedByDisk += 1;
    else if (code !== 0 && code !== 1)
      this.#problem(name, `it ended with ${signal ?? code}: ${stdout.slice(-800)}${stderr}`);
    const halfLines = halfLinesIn(site) - halfBefore;
    if (signal !== "SIGKILL" && halfLines > 0)
      this.#problem(name, `it left ${halfLines} half lines, and no kill was at fault`);
    if (this.#flow.sink !== "sqlite" && existsSync(join(site, "enriched.csv"))) {
      const found = (await this.#targetOf(site)).length;
      if (found !== expected.size) this.#problem(name, `a file of ${found} rows has the final name`);
    }
  }

  /** Waits for a random moment: while the process starts, at work, or at its end. */
  async #moment(needed: number, gone: AbortSignal): Promise<void> {
    const missing = needed - this.#goodAnswers();
    if (this.#draw() < 0.15 || missing <= 0) return await disturbed.wait(this.#draw() * 900, gone);
    const wanted = this.#goodAnswers() + Math.ceil(missing * (this.#draw() < 0.15 ? 1 : this.#draw() * 0.6));
    await disturbed.until(() => this.#goodAnswers() >= wanted, gone);
    await disturbed.wait(this.#draw() * (this.#draw() < 0.3 ? 150 : 6), gone);
  }

  async #outage(gone: AbortSignal): Promise<void> {
    await disturbed.wait(this.#draw() * 800, gone);
    if (gone.aborted) return;
    this.#figures.outages += 1;
    this.#simulator.update({ outage: this.#draw() < 0.5 ? "503" : "reset" });
    await disturbed.wait(50 + this.#draw() * 400, gone);
    this.#simulator.update({ outage: false });
  }

  /** Runs the command until it completes, and once more: then it has nothing to ask for but the bad rows. */
  async #finish(name: string, site: string): Promise<void> {
    const badCount = this.#rows.filter(({ code }) => code !== undefined).length;
    await this.#expectEnd(name, this.#start(site), badCount === 0 ? 0 : 1);
    if (this.#isCalm) return;
    const before = this.#goodAnswers();
    await this.#expectEnd(`${name}, run again`, this.#start(site), badCount === 0 ? 0 : 1);
    const more = this.#goodAnswers() - before;
    if (more > 0) this.#problem(name, `${more} answers were paid for after it was complete`);
  }

  async #expectEnd(name: string, running: disturbed.Running, exitCode: number): Promise<void> {
    const { code, signal, stdout, stderr } = await running.ended;
    const last = stdout.trimEnd().split("\n").at(-1) ?? "";
    const ending = disturbed.isJSON(last) ? Ending.safeParse(JSON.parse(last)).data : undefined;
    if (code !== exitCode || ending === undefined)
      return this.#problem(name, `it ended with ${signal ?? code}: ${stdout.slice(-800)}${stderr}`);
    const { readCount, successCount, failureCount, skippedCount, pendingCount, remainingCount } = ending.report;
    if (readCount !== successCount + failureCount + skippedCount + pendingCount || pendingCount !== 0)
      this.#problem(name, `the counts do not add up: ${last}`);
    const bad = this.#rows.filter(({ code: wanted }) => wanted !== undefined).length;
    if (ending.type === "replay-end") {
      if (remainingCount !== bad) this.#problem(name, `${remainingCount} rows remain, ${bad} are bad`);
    } else if (this.#flow.command === "run" && (readCount !== this.#rows.length || failureCount !== bad)) {
      this.#problem(name, `of ${readCount} rows ${failureCount} failed; it should be ${bad} of ${this.#rows.length}`);
    }
  }

  /** Holds a finished site against what must be there. */
  async #check(name: string, site: string, expected: ReadonlyMap<string, string>): Promise<void> {
    const figures = this.#figures;
    const target = await this.#targetOf(site);
    const found = Map.groupBy(target, (row) => String(row["id"]));
    const letters = Map.groupBy(lettersIn(site), ({ pk }) => pk ?? "without a key");
    for (const { id, code } of this.#rows) {
      const [row, ...more] = found.get(id) ?? [];
      const [letter, ...others] = letters.get(id) ?? [];
      figures.doubled += more.length + others.length;
      if (code === undefined) {
        if (letter !== undefined)
          this.#problem(
            name,
            `the good row ${id} is in the dead letters, with ${letter.error_code}: ${letter.error_message}`,
          );
        if (row === undefined) figures.lost += 1;
        else if (comparable(row) !== expected.get(id)) figures.wrong += 1;
      } else {
        if (row !== undefined) this.#problem(name, `the bad row ${id} is in the target`);
        if (letter === undefined) figures.lost += 1;
        else if (letter.error_code !== code) figures.wrong += 1;
      }
    }
    const known = new Set(this.#rows.map(({ id }) => id));
    for (const id of [...found.keys(), ...letters.keys()])
      if (!known.has(id)) this.#problem(name, `there is a row ${id}: ${JSON.stringify(letters.get(id) ?? [])}`);
    if (this.#flow.sink === "csv-ordered") {
      const good = this.#rows.filter(({ code }) => code === undefined).map(({ id }) => id);
      const order = target.map((row) => row["id"]);
      if (order.join() !== good.join()) this.#problem(name, "the rows are not in the source's order");
    }
    figures.halfLines += halfLinesIn(site);
    if (this.#server === undefined) this.#checkFiles(name, site);
    else for (const problem of await this.#server.wrongLines(databaseOf(site))) this.#problem(name, problem);
  }

  #checkFiles(name: string, site: string): void {
    const journal = join(site, "journal", "crash.db");
    const leftovers = [`${journal}-wal`, `${journal}-shm`, `${journal}.new`, join(site, "enriched.csv.partial")];
    for (const path of leftovers) if (existsSync(path)) this.#problem(name, `${path} was left`);
    for (const path of [journal, ...(this.#flow.sink === "sqlite" ? [join(site, "target.db")] : [])]) {
      const found = JSON.stringify(disturbed.queryAll(path, "PRAGMA integrity_check"));
      if (found !== '[{"integrity_check":"ok"}]') this.#problem(name, `${path}: ${found}`);
    }
  }

  #problem(name: string, problem: string): void {
    this.#figures.problems.push(`${this.#options.flow}, seed ${this.#options.seed}, ${name}: ${problem}`);
  }

  #start(site: string, command: "run" | "replay" = this.#flow.command): disturbed.Running {
    this.#figures.runs += 1;
    return disturbed.startRun(
      command === "run" ? ["run", pipeline, "--json"] : ["replay", "--pipeline", pipeline, "--json"],
      site,
      {
        ...{ CRASH_FOLDER: site, CRASH_SOURCE: this.#flow.source, CRASH_SINK: this.#flow.sink },
        ...{ CRASH_CONCURRENCY: String(this.#concurrency), ...disturbed.settingsOf(this.#simulator) },
        ...this.#server?.environment(databaseOf(site)),
      },
    );
  }

  async #newSite(number: number): Promise<string> {
    const site = join(this.#disk.folder, `site ${number}`);
    mkdirSync(site);
    if (this.#server !== undefined) {
      await this.#server.make(databaseOf(site), this.#rows);
      return site;
    }
    if (this.#flow.source === "sqlite") makeSource(join(site, "source.db"), this.#rows);
    else
      writeFileSync(
        join(site, "source.csv"),
        ["id,note", ...this.#rows.map(({ id, note }) => `${id},${note}`), ""].join("\n"),
      );
    if (this.#flow.sink === "sqlite") makeTarget(join(site, "target.db"));
    return site;
  }

  async #targetOf(site: string): Promise<readonly Values[]> {
    if (this.#server !== undefined) return await this.#server.target(databaseOf(site));
    if (this.#flow.sink === "sqlite") return disturbed.queryAll(join(site, "target.db"), "SELECT * FROM enriched");
    return parse(readFileSync(join(site, "enriched.csv")), { columns: true, bom: true });
  }

  /** Answers with nothing wrong that the service has sent, and been paid for. */
  #goodAnswers(): number {
    const { byStatus, byFault } = this.#simulator.statistics();
    const faulty: readonly SimulatorFaultName[] = ["invalidJSON", "refusal", "truncatedBody", "html"];
    return faulty.reduce((sum, fault) => sum - (byFault[fault] ?? 0), byStatus["200"] ?? 0);
  }
}

/** A row of a target as text, without what tells the time, and the tokens, of which a re-ask takes more. */
function comparable(row: Values): string {
  const { started_at: _, completed_at: __, run_id: ___, tokens: ____, ...others } = row;
  return JSON.stringify(others);
}

/** The database of a site, on the flow's server. */
function databaseOf(site: string): string {
  return basename(site);
}

function lettersIn(site: string): readonly z.output<typeof Letter>[] {
  const lines = disturbed.linesOf(join(site, "failed.jsonl")).filter(disturbed.isJSON);
  return lines.map((line) => Letter.parse(JSON.parse(line)));
}

/** Lines that can't be read, and last ones that have no end, in the JSONL files of a site. */
function halfLinesIn(site: string): number {
  return ["failed.jsonl", "payloads.jsonl"].reduce((sum, name) => {
    const path = join(site, name);
    const isOpen = existsSync(path) && !/(^|\n)$/.test(readFileSync(path, "utf8").slice(-1));
    const broken = disturbed.linesOf(path).filter((line) => !disturbed.isJSON(line)).length;
    return sum + Math.max(broken, isOpen ? 1 : 0);
  }, 0);
}
