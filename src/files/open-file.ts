import type { BigIntStats } from "node:fs";
import { statusOf } from "./same-file.ts";

/** A file that is open under its path, to see whether it is still the one that has the name: whoever holds it open would not notice. */
export class OpenFile {
  readonly path: string;
  readonly #isNeverEmpty: boolean;
  readonly #identity: string | undefined;

  /** The file must have been opened by now. A database is never empty; its log may be. */
  constructor(path: string, { isNeverEmpty = false }: { readonly isNeverEmpty?: boolean } = {}) {
    this.path = path;
    this.#isNeverEmpty = isNeverEmpty;
    this.#identity = identityOf(statusOf(path));
  }

  /** The reason why nothing more can be kept in it; undefined where the path still leads to it. */
  problem(): "was deleted" | "was emptied" | "was replaced by another file" | undefined {
    const status = statusOf(this.path);
    if (identityOf(status) !== this.#identity) {
      return status === undefined ? "was deleted" : "was replaced by another file";
    }
    return this.#isNeverEmpty && status?.size === 0n ? "was emptied" : undefined;
  }
}

function identityOf(status: BigIntStats | undefined): string | undefined {
  return status === undefined ? undefined : `${status.dev}:${status.ino}`;
}
