import { createCipheriv, createDecipheriv, type KeyObject, randomBytes } from "node:crypto";

const algorithm = "aes-256-gcm";
/** In bytes: of a nonce that is drawn at random, and of the tag that tells of any change. */
const [nonceLength, tagLength] = [12, 16];
/** The first byte of what is encrypted says how the text became bytes. */
const [utf8, utf16] = [0, 1];

/**
 * A text, encrypted: the nonce, the bytes and the tag, as base64.
 *
 * @param context names the text's place; it is not kept, and another one opens nothing
 */
export function seal(key: KeyObject, text: string, context: string): string {
  const nonce = randomBytes(nonceLength);
  const cipher = createCipheriv(algorithm, key, nonce, { authTagLength: tagLength });
  cipher.setAAD(Buffer.from(context));
  const isWellFormed = text.isWellFormed();
  const head = cipher.update(Buffer.of(isWellFormed ? utf8 : utf16));
  const body = cipher.update(text, isWellFormed ? "utf8" : "utf16le");
  const end = cipher.final();
  return Buffer.concat([nonce, head, body, end, cipher.getAuthTag()]).toString("base64");
}

/** The text that {@link seal} encrypted; undefined for another key or context, and for what was changed or cut. */
export function unseal(key: KeyObject, sealed: string, context: string): string | undefined {
  const bytes = Buffer.from(sealed, "base64");
  // Of base64 there are several spellings, and a change may lead from one to another.
  if (bytes.length < nonceLength + 1 + tagLength || bytes.toString("base64") !== sealed) return undefined;
  const decipher = createDecipheriv(algorithm, key, bytes.subarray(0, nonceLength), { authTagLength: tagLength });
  decipher.setAAD(Buffer.from(context));
  decipher.setAuthTag(bytes.subarray(-tagLength));
  const content = decipher.update(bytes.subarray(nonceLength, -tagLength));
  try {
    decipher.final();
  } catch {
    return undefined; // it has one reason
  }
  return content.toString(content[0] === utf16 ? "utf16le" : "utf8", 1);
}
