import { statusOf } from "./same-file.ts";

/** A file that is open under its path, to see whether it is still the one that has the name: whoever holds it open would not notice. */
export class OpenFile {
  readonly path: string;
  readonly #identity: string | undefined;

  /** The file must have been opened by now. */
  constructor(path: string) {
    this.path = path;
    this.#identity = identityOf(path);
  }

  /** The reason why nothing more can be kept in it; undefined where the path still leads to it. */
  problem(): "was deleted" | "was replaced by another file" | undefined {
    const identity = identityOf(this.path);
    if (identity === this.#identity) return undefined;
    return identity === undefined ? "was deleted" : "was replaced by another file";
  }
}

function identityOf(path: string): string | undefined {
  const status = statusOf(path);
  return status === undefined ? undefined : `${status.dev}:${status.ino}`;
}
