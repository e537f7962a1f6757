import type { JournalSession } from "../contracts/journal.ts";
import type { SubmittedWork } from "../contracts/journal-work.ts";
import { gathered } from "../engine/gathered.ts";

/** So many works or fingerprints are read at once. */
const pageSize = 1000;

/** The journal's work, and where each request belongs. */
export class WorkStore {
  readonly #work: JournalSession["work"];
  readonly #known = new Map<string, SubmittedWork>();
  readonly #find: (fingerprint: string) => Promise<string | undefined>;

  private constructor(work: JournalSession["work"]) {
    this.#work = work;
    this.#find = gathered(work.find);
  }

  static async open({ work }: JournalSession): Promise<WorkStore> {
    const store = new WorkStore(work);
    for (let from: string | undefined; ;) {
      const { items, next } = await work.list({ limit: pageSize, from });
      for (const one of items) store.#known.set(one.id, one);
      if (next === null) return store;
      from = next;
    }
  }

  /** All that is known, in no order. */
  get all(): readonly SubmittedWork[] {
    return [...this.#known.values()];
  }

  /** The work that a request belongs to. */
  async of(fingerprint: string): Promise<SubmittedWork | undefined> {
    if (this.#known.size === 0) return undefined;
    const id = await this.#find(fingerprint);
    return id === undefined ? undefined : this.#known.get(id);
  }

  async save(work: SubmittedWork): Promise<void> {
    const saved = { ...work, updatedAt: new Date() };
    await this.#work.save(saved);
    this.#known.set(work.id, saved);
  }

  async add(id: string, fingerprints: readonly string[]): Promise<void> {
    await this.#work.addFingerprints(id, fingerprints);
  }

  async remove(id: string, fingerprints: readonly string[]): Promise<void> {
    await this.#work.removeFingerprints(id, fingerprints);
  }

  /** Frees all requests of a work. */
  async release(id: string): Promise<void> {
    for (;;) {
      const { items } = await this.#work.fingerprints(id, { limit: pageSize });
      if (items.length === 0) return;
      await this.remove(id, items);
    }
  }
}
