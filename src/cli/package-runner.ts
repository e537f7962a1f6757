import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";

/** The facts of a process that tell which one started it. */
export interface ProcessFacts {
  readonly parentId: number;
  /** The words that it was started with, or its title. */
  readonly command: string;
}

/** The processes of this machine. */
export interface Processes {
  /** The id of the process that started this one, as it is now: another takes its place when it ends. */
  readonly parentId: () => number;
  /** Undefined where there is no such process, or nothing is known of it. */
  readonly factsOf: (id: number) => ProcessFacts | undefined;
}

/** Such programs end at SIGTERM, and some at Ctrl-C, without a word to the program that they run. */
const runners = /(?:^|[/\\])(npm|npx|pnpm|pnpx|yarn|yarnpkg)(?:-cli)?(?:\.[cm]?js)?$/;
const shells = /^-?(?:\S*[/\\])?(?:sh|bash|dash|ash|zsh|ksh|fish|busybox)(?:\s|$)/;
const mostShells = 4;
const lookEveryMs = 500;

/**
 * Watches npx, npm or the like, where it started this process, itself or through shells. They end without passing SIGTERM on, and
 * the run would go on and pay, with nobody there who could stop it.
 */
export class PackageRunner {
  readonly name: string;
  readonly #processes: Processes;
  readonly #parentId: number;
  /** The shell next to the runner, and the runner; undefined where the runner is the parent itself. */
  readonly #shell: { readonly id: number; readonly parentId: number } | undefined;

  constructor(name: string, processes: Processes, between: readonly number[], runnerId: number) {
    const [parentId = runnerId] = between;
    const shell = between.at(-1);
    this.name = name;
    this.#processes = processes;
    this.#parentId = parentId;
    this.#shell = shell === undefined ? undefined : { id: shell, parentId: runnerId };
  }

  /** The runner that started this process; undefined where it was started otherwise. */
  static find(env: Readonly<Record<string, string | undefined>>, processes: Processes): PackageRunner | undefined {
    if (env["npm_execpath"] === undefined && env["npm_config_user_agent"] === undefined) return undefined;
    const between: number[] = [];
    for (let id = processes.parentId(); between.length <= mostShells;) {
      const facts = processes.factsOf(id);
      if (facts === undefined) return undefined;
      if (shells.test(facts.command)) {
        between.push(id);
        id = facts.parentId;
        continue;
      }
      const name = runnerIn(facts.command);
      return name === undefined ? undefined : new PackageRunner(name, processes, between, id);
    }
    return undefined;
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
    return this.#shell !== undefined && this.#processes.factsOf(this.#shell.id)?.parentId !== this.#shell.parentId;
  }
}

/** The runner that a command line names as its program, or as the script of Node. */
function runnerIn(command: string): string | undefined {
  const [program = "", script = ""] = command.split(" ").filter((word) => !word.startsWith("-"));
  return runners.exec(program)?.[1] ?? runners.exec(script)?.[1];
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
  const command = readFileSync(`/proc/${id}/cmdline`, "utf8").replaceAll("\0", " ").trim();
  return { parentId: Number(parentId), command };
}

function factsFromPs(id: number): ProcessFacts | undefined {
  const line = execFileSync("ps", ["-o", "ppid=,args=", "-p", String(id)], { encoding: "utf8", timeout: 2000 });
  const [, parentId, command = ""] = /^\s*(\d+)\s+(.*)$/.exec(line) ?? [];
  return parentId === undefined ? undefined : { parentId: Number(parentId), command };
}
