import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";

/** The facts of a process that tell which one started it. */
export interface ProcessFacts {
  readonly parentId: number;
  /** The words that it was started with, or those of its title. */
  readonly words: readonly string[];
}

/** The processes of this machine. */
export interface Processes {
  /** The id of the process that started this one, as it is now: another takes its place when it ends. */
  readonly parentId: () => number;
  /** Undefined where there is no such process, or nothing is known of it. */
  readonly factsOf: (id: number) => ProcessFacts | undefined;
}

/** Such programs end at SIGTERM, and some at Ctrl-C, without a word to the program that they run. */
const runners = /(?:^|[/\\])(npm|npx|pnpm|pnpx|yarn|yarnpkg|bun|bunx|corepack)(?:-cli)?(?:-\d[\w.-]*?)?(?:\.[cm]?js)?$/;
/** Shells, and programs that a script puts before a command: they stand between a runner and what it runs. */
const between =
  /(?:^-?|[/\\])(?:sh|bash|dash|ash|zsh|ksh|fish|busybox|cross-env(?:-shell)?|dotenvx?|env-cmd|npm-run-all2?|run-[sp])(?:\.[cm]?js)?$/;
const isBetween = "between";
const mostBetween = 4;
const lookEveryMs = 500;

/** A process, and the one that started it. */
interface Link {
  readonly id: number;
  readonly parentId: number;
}

/**
 * Watches npx, npm or the like, where it started this process, itself or through shells or others of its kind. They end without
 * passing SIGTERM on, and the run would go on and pay, with nobody there who could stop it.
 */
export class PackageRunner {
  readonly name: string;
  readonly #processes: Processes;
  readonly #parentId: number;
  /** The processes from the parent up to the outermost runner, and who started each. */
  readonly #links: readonly Link[];

  constructor(name: string, processes: Processes, parentId: number, links: readonly Link[]) {
    this.name = name;
    this.#processes = processes;
    this.#parentId = parentId;
    this.#links = links;
  }

  /** The outermost runner that started this process; undefined where it was started otherwise. */
  static find(env: Readonly<Record<string, string | undefined>>, processes: Processes): PackageRunner | undefined {
    if (env["npm_execpath"] === undefined && env["npm_config_user_agent"] === undefined) return undefined;
    const ownParentId = processes.parentId();
    const links: Link[] = [];
    let found: PackageRunner | undefined;
    let betweenCount = 0;
    for (let id = ownParentId; betweenCount <= mostBetween;) {
      const facts = processes.factsOf(id);
      if (facts === undefined) break;
      const role = roleOf(facts);
      if (role === undefined) break;
      if (role !== isBetween) found = new PackageRunner(role, processes, ownParentId, [...links]);
      betweenCount = role === isBetween ? betweenCount + 1 : 0;
      links.push({ id, parentId: facts.parentId });
      id = facts.parentId;
    }
    return found;
  }

  /** Calls `listener` once when the runner has ended. Returns a function that stops watching. */
  onEnd(listener: () => void): () => void {
    const timer = setInterval(() => {
      if (!this.#hasEnded()) return;
      clearInterval(timer);
      listener();
    }, lookEveryMs).unref();
    return () => clearInterval(timer);
  }

  #hasEnded(): boolean {
    if (this.#processes.parentId() !== this.#parentId) return true;
    return this.#links.some(({ id, parentId }) => this.#processes.factsOf(id)?.parentId !== parentId);
  }
}

/** The name of a runner, which is the program or the script of Node; `between` for what stands between runners; else undefined. */
function roleOf({ words: [program = "", ...others] }: ProcessFacts): string | undefined {
  const script = others.find((word) => !word.startsWith("-")) ?? "";
  if (between.test(program)) return isBetween;
  return runners.exec(program)?.[1] ?? runners.exec(script)?.[1] ?? (between.test(script) ? isBetween : undefined);
}

/** The processes of the system: read from /proc, or asked of `ps`. On Windows nothing is known of them. */
export const systemProcesses: Processes = {
  parentId: () => process.ppid,
  factsOf: (id) => {
    try {
      return process.platform === "linux" ? factsInProc(id) : factsFromPs(id);
    } catch {
      return undefined;
    }
  },
};

function factsInProc(id: number): ProcessFacts {
  const stat = readFileSync(`/proc/${id}/stat`, "utf8");
  // Behind the name, which stands in parentheses and may hold some itself: the state, and the parent.
  const [, parentId = ""] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const words = readFileSync(`/proc/${id}/cmdline`, "utf8")
    .split("\0")
    .filter((word) => word !== "");
  // A title is one word, with blanks in it.
  return { parentId: Number(parentId), words: words.length === 1 ? (words[0] ?? "").split(" ") : words };
}

function factsFromPs(id: number): ProcessFacts | undefined {
  const line = execFileSync("ps", ["-o", "ppid=,args=", "-p", String(id)], { encoding: "utf8", timeout: 2000 });
  const [, parentId, command = ""] = /^\s*(\d+)\s+(.*)$/.exec(line) ?? [];
  return parentId === undefined ? undefined : { parentId: Number(parentId), words: command.split(" ") };
}
