import { deprecate } from "node:util";

/** An option that works until the next major version. */
export interface Deprecation {
  readonly option: string;
  /** Names it among Node's warnings: `LLM_ETL_…`. */
  readonly code: string;
  /** Says what to write instead. */
  readonly message: string;
}

/** Emits a `DeprecationWarning`, once a process for each code. */
export function warnOf({ code, message }: Deprecation): void {
  deprecate(() => {}, message, code)();
}
