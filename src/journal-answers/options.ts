import { createSecretKey, type KeyObject } from "node:crypto";
import { OptionError, SettingError } from "../errors/option.ts";
import { isOneOf, type OptionCheck, optional } from "../errors/options.ts";

/** Options of every kind of journal. */
export interface AnswersOptions {
  /**
   * `encrypted`: answers, decisions of people and findings of evaluations are kept encrypted, by AES-256-GCM. Whoever reads the database
   * or a copy of it then reads none of them. Answers that were kept plain before stay readable. @default "plain"
   */
  readonly answers?: "plain" | "encrypted" | undefined;
  /**
   * The key for `answers: "encrypted"`: 32 bytes, as base64 or hexadecimal digits.
   *
   * @default the environment variable LLM_ETL_JOURNAL_KEY, read when the journal is opened
   */
  readonly encryptionKey?: string | undefined;
}

export const keyVariable = "LLM_ETL_JOURNAL_KEY";
const makeKey = `node -p "require('crypto').randomBytes(32).toString('base64')"`;

/** For `checkOptions`, beside the checks of the journal's own options. */
export const answersChecks: { readonly [Name in keyof AnswersOptions]-?: OptionCheck } = {
  answers: optional(isOneOf("plain", "encrypted")),
  // A message about a wrong value shows it, and this one is a secret: it goes on to `checkAnswersOptions`.
  encryptionKey: { expected: "text", required: false, fits: () => true },
};

/** @throws {OptionError} for a key that is none, or that nothing is encrypted with */
export function checkAnswersOptions(owner: string, { answers = "plain", encryptionKey }: AnswersOptions): void {
  if (encryptionKey === undefined) return;
  bytesOf(owner, encryptionKey, "encryptionKey");
  if (answers === "encrypted") return;
  const hint = 'set answers: "encrypted", or leave the key out';
  throw new OptionError(owner, "encryptionKey", 'is given, but answers is "plain"', { hint });
}

/**
 * The key: the option's, or else the environment's.
 *
 * @throws {SettingError} if there is none
 * @throws {OptionError} if it is not 32 bytes
 */
export function readKey(owner: string, encryptionKey: string | undefined): KeyObject {
  const fromVariable = process.env[keyVariable] ?? "";
  if (encryptionKey === undefined && fromVariable.trim() === "") {
    throw new SettingError(owner, "encryptionKey", keyVariable, `a new journal a new key, which ${makeKey} makes`);
  }
  const [value, where] = encryptionKey === undefined ? [fromVariable, keyVariable] : [encryptionKey, "encryptionKey"];
  return createSecretKey(bytesOf(owner, value, where));
}

/** No message holds the value, or a part of it. */
function bytesOf(owner: string, value: unknown, where: string): Buffer {
  const text = typeof value === "string" ? value.trim() : "";
  if (/^[0-9a-f]{64}$/i.test(text)) return Buffer.from(text, "hex");
  if (/^[\w+/-]{43}=?$/.test(text)) return Buffer.from(text, "base64"); // with the letters of base64url, too
  const problem = where === keyVariable ? `from the environment variable ${keyVariable}` : "";
  throw new OptionError(owner, "encryptionKey", problem, {
    where,
    expected: "a key of 32 bytes, as 44 characters of base64 or 64 hexadecimal digits",
    got: typeof value === "string" ? `a text of ${value.length} characters` : `a value of type ${typeof value}`,
    hint: `${makeKey} makes one`,
  });
}
