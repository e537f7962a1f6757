import { codeOf, messageOf } from "../../errors/error-text.ts";
import type { ErrorFacts } from "../../errors/facts.ts";
import { JournalError } from "../../errors/journal.ts";
import { LLMEtlError } from "../../errors/llm-etl-error.ts";
import { FileError } from "../../files/file-error.ts";
import { errorNumberOf, isKind } from "../errors.ts";

/** The error of a journal that failed, with what to do about it. */
export function asJournalError(path: string, cause: unknown): LLMEtlError {
  if (cause instanceof LLMEtlError) return cause;
  const { problem, words, hint } = describeFailure(cause);
  return new JournalError(path, `${words} (${messageOf(cause)})`, {
    cause,
    facts: { problem, code: codeOf(cause), errorNumber: errorNumberOf(cause), hint },
  });
}

/** The error of a file that is no journal any more. */
export function damagedError(path: string, words: string, facts: ErrorFacts): JournalError {
  return new JournalError(path, words, { facts: { ...facts, problem: damaged.problem, hint: damaged.hint } });
}

interface Failure {
  /** As a fact, for programs. */
  readonly problem: "damaged" | "locked" | "full" | "inaccessible" | "unlockable";
  readonly words: string;
  readonly hint: string;
}

function describeFailure(cause: unknown): Failure {
  if (isKind(cause, "corrupt") || isKind(cause, "notADatabase")) return damaged;
  if (isKind(cause, "busy")) return locked;
  if (cause instanceof FileError && ["LOCK_DAMAGED", "NO_LOCKS", "LOCK_INACCESSIBLE"].includes(cause.code)) {
    return unlockable;
  }
  return isKind(cause, "full") || isKind(cause, "ioError") ? full : inaccessible;
}

const damaged: Failure = {
  problem: "damaged",
  words: "is damaged",
  hint: "restore a copy, or move it away and run again: without it every row is asked, paid for and written anew",
};
const locked: Failure = {
  problem: "locked",
  words: "is locked by another program",
  hint: "end its transaction, then run again",
};
const unlockable: Failure = {
  problem: "unlockable",
  words: "can't be kept from other runs",
  hint: "the journal itself is as it was; see to its lock file, and run again",
};
const full: Failure = {
  problem: "full",
  words: "can't be written; is the disk full?",
  hint: "free space and run again: all that was kept before is still there",
};
const inaccessible: Failure = {
  problem: "inaccessible",
  words: "can't be opened or written",
  hint: "check who may write to it and to its folder, or give the journal another path, or keep it in a database",
};
