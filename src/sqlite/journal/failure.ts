import { JournalError } from "../../errors/journal.ts";
import { LLMEtlError } from "../../errors/llm-etl-error.ts";
import { messageOf } from "../../errors/error-text.ts";
import { isKind } from "../errors.ts";

/** The error of a journal that failed, with what to do about it. */
export function asJournalError(path: string, cause: unknown): LLMEtlError {
  if (cause instanceof LLMEtlError) return cause;
  return new JournalError(path, `${problemOf(cause)} (${messageOf(cause)})`, { cause });
}

function problemOf(cause: unknown): string {
  if (isKind(cause, "corrupt") || isKind(cause, "notADatabase")) return damaged;
  if (isKind(cause, "busy")) return "is locked by another program: end its transaction, then run again";
  if (isKind(cause, "full") || isKind(cause, "ioError")) {
    return "can't be written; is the disk full? Free space and run again: all that was kept before is still there";
  }
  return `can't be opened or written; check who may write to it and to its folder, or give the journal another path, or set journal: "off"`;
}

/** The problem of a file that is no journal any more. */
export const damaged =
  "is damaged: restore a copy, or move it away and run again; without it every row is asked, paid for and written anew";
