import type { KeyObject } from "node:crypto";
import type { Journal, JournalReader, JournalSession, Page, PageRequest } from "../contracts/journal.ts";
import type { Watermark } from "../contracts/journal-work.ts";
import { JournalError } from "../errors/journal.ts";
import { keptReader, keptSession } from "./kept-answers.ts";
import { encryptedError, KeptTexts } from "./kept-texts.ts";
import { type AnswersOptions, checkAnswersOptions, keyVariable, readKey } from "./options.ts";
import { seal, unseal } from "./sealed-text.ts";

/** A watermark of no pipeline proves the key: no pipeline has an empty name, and no clean-up of answers takes it away. */
const [proofPipeline, proofName] = ["", "answers"];
/** The way in which answers are encrypted, and what is encrypted for a proof. */
const [scheme, proven] = ["aes-256-gcm 1", "the key of this journal"];

/** The parts of a journal that open it. */
export type JournalParts = Pick<Journal, "open" | "reader"> & {
  readonly preflight: NonNullable<Journal["preflight"]>;
  readonly upkeep: NonNullable<Journal["upkeep"]>;
};

interface KeptJournal extends JournalParts {
  readonly identity: () => string;
}

/** How a journal of any kind keeps its answers: plain, or encrypted with a key that is proved before the first row. */
export class AnswerKeeping {
  readonly #owner: string;
  readonly #isEncrypted: boolean;
  readonly #encryptionKey: string | undefined;

  /** @throws {OptionError} for a key that is none, or that nothing is encrypted with */
  constructor(owner: string, options: AnswersOptions) {
    checkAnswersOptions(owner, options);
    this.#owner = owner;
    this.#isEncrypted = options.answers === "encrypted";
    this.#encryptionKey = options.encryptionKey;
  }

  /** The environment variables without which it does not work. */
  get environment(): readonly string[] {
    return this.#isEncrypted && this.#encryptionKey === undefined ? [keyVariable] : [];
  }

  /**
   * The same journal with its answers kept so. The first run that encrypts leaves a proof of its key. Where plain answers are wanted, one that
   * is encrypted can be looked into for all but its answers.
   *
   * Each part rejects with a SettingError or an OptionError if there is no key, or it is none, and with a {@link JournalError} if
   * the key is another one, or the journal is encrypted and no key is wanted.
   */
  in({ identity, preflight, open, reader, upkeep }: KeptJournal): JournalParts {
    const kept = async <Session extends JournalSession>(opening: () => Promise<Session>): Promise<Session> => {
      const key = this.#key();
      const session = await opening();
      return await orClose(session, async () => {
        const { watermarks } = session;
        if (key !== undefined && (await watermarks.find(proofPipeline, proofName)) === undefined)
          await watermarks.save(proofOf(key));
        requireProof(identity(), key, await watermarks.find(proofPipeline, proofName));
        return keptSession(session, new KeptTexts(identity(), key));
      });
    };
    return {
      preflight: async (signal) => {
        const key = this.#key();
        const isThere = await preflight(signal);
        const look = isThere ? await reader() : undefined;
        try {
          if (look !== undefined) requireProof(identity(), key, await proofIn(look));
        } finally {
          await look?.close();
        }
        return isThere;
      },
      open: async (run, signal) => await kept(async () => await open(run, signal)),
      upkeep: async (signal) => await kept(async () => await upkeep(signal)),
      reader: async () => {
        const key = this.#key();
        const look = await reader();
        if (look === undefined) return undefined;
        return await orClose(look, async () => {
          if (key !== undefined) requireProof(identity(), key, await proofIn(look));
          const list = async (request: PageRequest): Promise<Page<Watermark>> => await othersIn(look, request);
          return { ...keptReader(look, new KeptTexts(identity(), key)), watermarks: { list } };
        });
      },
    };
  }

  #key(): KeyObject | undefined {
    return this.#isEncrypted ? readKey(this.#owner, this.#encryptionKey) : undefined;
  }
}

/** Closes what was opened where the rest fails. */
async function orClose<Result>(
  opened: { readonly close: () => Promise<void> },
  work: () => Promise<Result>,
): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    await opened.close();
    throw error;
  }
}

function proofOf(key: KeyObject): Watermark {
  const value = seal(key, proven, scheme);
  return { pipeline: proofPipeline, name: proofName, value, basis: scheme, savedAt: new Date() };
}

function isProof({ pipeline, name }: Watermark): boolean {
  return pipeline === proofPipeline && name === proofName;
}

function requireProof(identity: string, key: KeyObject | undefined, proof: Watermark | undefined): void {
  if (proof === undefined) return;
  if (key === undefined) throw encryptedError(identity);
  const { basis, value } = proof;
  if (basis !== scheme) {
    const facts = { problem: "newer", expected: scheme, got: basis, hint: "update llm-etl" };
    throw new JournalError(identity, "is encrypted in a way that this llm-etl does not know", { facts });
  }
  if (unseal(key, value, scheme) === proven) return;
  const hint = `give the key with which it was first encrypted, as "encryptionKey" or ${keyVariable}; without it, give the pipeline another journal`;
  throw new JournalError(identity, "is encrypted with another key", { facts: { problem: "wrong-key", hint } });
}

async function proofIn({ watermarks }: JournalReader): Promise<Watermark | undefined> {
  for (let from: string | undefined; ;) {
    const { items, next } = await watermarks.list({ limit: 1000, from });
    const proof = items.find(isProof);
    if (proof !== undefined || next === null) return proof;
    from = next;
  }
}

/** A page of the watermarks of pipelines. */
async function othersIn({ watermarks }: JournalReader, { limit, from }: PageRequest): Promise<Page<Watermark>> {
  const { items, next } = await watermarks.list({ limit, from });
  const others = items.filter((each) => !isProof(each));
  if (next === null || others.length === items.length) return { items: others, next };
  const more = await watermarks.list({ limit: 1, from: next }); // there is one proof at most
  return { items: [...others, ...more.items], next: more.next };
}
