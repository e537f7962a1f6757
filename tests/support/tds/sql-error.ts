/** An error as SQL Server reports it. */
export class SQLError extends Error {
  readonly number: number;
  readonly class: number;
  readonly state: number;
  readonly line: number;

  constructor(number: number, message: string, settings: { class?: number; state?: number; line?: number } = {}) {
    super(message);
    this.number = number;
    this.class = settings.class ?? classes[number] ?? 16;
    this.state = settings.state ?? 1;
    this.line = settings.line ?? 1;
  }

  /** True if the batch ends and the transaction is rolled back, whatever XACT_ABORT says. */
  get endsBatch(): boolean {
    return batchAborting.has(this.number) || this.class >= 20;
  }
}

const classes: Readonly<Record<number, number>> = {
  102: 15,
  105: 15,
  137: 15,
  156: 15,
  319: 15,
  10_713: 15,
  1205: 13,
  2601: 14,
  2627: 14,
  4060: 11,
  18_456: 14,
  40_197: 20,
  40_613: 20,
};

const batchAborting: ReadonlySet<number> = new Set([241, 242, 245, 248, 1205, 3960, 8114, 8169]);

export function syntaxError(near: string, line: number): SQLError {
  return new SQLError(102, `test server: statement not understood: Incorrect syntax near '${near}'.`, { line });
}

export function notUnderstood(what: string): SQLError {
  return new SQLError(102, `test server: statement not understood: ${what}`);
}

/** The text that SQL Server gives some numbers, for faults that name only the number. */
export function messageOf(number: number): string {
  return messages[number] ?? `Injected error ${number}.`;
}

const messages: Readonly<Record<number, string>> = {
  1205: "Transaction (Process ID 51) was deadlocked on lock resources with another process and has been chosen as the deadlock victim. Rerun the transaction.",
  1222: "Lock request time out period exceeded.",
  3960: "Snapshot isolation transaction aborted due to update conflict.",
  40_197: "The service has encountered an error processing your request. Please try again. Error code 40143.",
  40_501: "The service is currently busy. Retry the request after 10 seconds.",
  40_613: "Database 'clinic' on server 'test' is not currently available. Please retry the connection later.",
};
