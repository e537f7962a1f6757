import { type ErrorOptions, RunError } from "./llm-etl-error.ts";
import { codeOf, messageOf } from "./error-text.ts";

/** The journal can't be opened, read or written. Its earlier entries are still there, unless the file is damaged. */
export class JournalError extends RunError {
  constructor(path: string, problem: string, options: ErrorOptions = {}) {
    const facts = { where: path, ...options.facts };
    super("JOURNAL_FAILED", `the journal ${path} ${problem}`, { ...options, facts });
  }
}

/** Another run holds the journal: one process at a time. */
export class JournalInUseError extends RunError {
  constructor(path: string, holder: string) {
    const hint = "wait until that run has ended or stop it, or give this pipeline another name or journal";
    super("JOURNAL_IN_USE", `the journal ${path} is in use by ${holder}`, { facts: { where: path, holder, hint } });
  }
}

/** A lease on a range of the run is no longer its owner's: nothing more is saved under it. */
export class LeaseLostError extends JournalError {
  constructor(path: string, { range, owner, number }: { range: string; owner: string; number: number }) {
    const hint = "stop the work on this range: another worker has it, or it was given back";
    super(path, `rejects a save: lease ${number} of ${owner} on ${range} is lost`, {
      facts: { problem: "lease-lost", range, owner, number, hint },
    });
  }
}

/** A failed row could not be kept: the run stops rather than lose it. */
export class DeadLetterError extends RunError {
  constructor(path: string, cause: unknown) {
    const hint = "free the disk, give the file's owner access, or set another deadLetterPath";
    super("DEAD_LETTER_FAILED", `the dead letter file ${path} can't be written (${messageOf(cause)})`, {
      cause,
      facts: { where: path, code: codeOf(cause), hint },
    });
  }
}

/** The payload log could not be written. */
export class PayloadLogError extends RunError {
  constructor(path: string, cause: unknown) {
    const hint = 'free the disk, set payloadLogPath, or payloadLog: "off"';
    super("PAYLOAD_LOG_FAILED", `the payload log ${path} can't be written (${messageOf(cause)})`, {
      cause,
      facts: { where: path, code: codeOf(cause), hint },
    });
  }
}
