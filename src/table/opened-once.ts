/** The logins with one set of settings. What has worked is not wrong: a server that is not found then, or denies it, fails over or starts. */
export interface Logins {
  haveWorked: boolean;
}

/** Something that is opened by the first who needs it, and again after it failed or was closed. */
export class OpenedOnce<Opened> {
  #opening: Promise<Opened> | undefined;

  /** @throws what `open` threw; the next call may try again */
  async get(open: () => Promise<Opened>): Promise<Opened> {
    this.#opening ??= open();
    try {
      return await this.#opening;
    } catch (error) {
      this.#opening = undefined;
      throw error;
    }
  }

  /** Gives it up, once it is open: undefined where there is none, or it failed to open. */
  async take(): Promise<Opened | undefined> {
    const [opened] = await Promise.allSettled([this.#opening]); // `get` reports a failure
    this.#opening = undefined;
    return opened?.status === "fulfilled" ? opened.value : undefined;
  }
}
