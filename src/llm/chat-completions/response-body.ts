import { brotliDecompressSync, gunzipSync, inflateRawSync, inflateSync, zstdDecompressSync } from "node:zlib";
import { ProviderError } from "../provider-error.ts";
import { requestIdOf } from "./service-error.ts";

export interface HTTPAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly body: string;
}

export interface ReceivedBody extends Pick<HTTPAnswer, "status" | "headers"> {
  readonly chunks: readonly Buffer[];
  /** The most bytes that the body may have when it is decompressed. */
  readonly maxResponseBytes: number;
}

/** True for every status that comes with an answer. */
export function isSuccess(status: number): boolean {
  return status >= 200 && status < 300;
}

/**
 * The text of a body, decompressed where it is compressed (a gateway may do so unasked) and without a byte order mark. A body of
 * an error that can't be read is empty: its status says enough.
 *
 * @throws {ProviderError} INVALID_RESPONSE for a body of an answer that is too large or can't be decompressed
 */
export function readBody({ status, headers, chunks, maxResponseBytes }: ReceivedBody): string {
  const [first, ...others] = chunks;
  if (first === undefined) return "";
  let bytes = others.length === 0 ? first : Buffer.concat(chunks);
  try {
    for (const encoding of encodingsOf(headers, bytes).toReversed())
      bytes = decompressOrKeep(bytes, encoding, maxResponseBytes);
  } catch (error) {
    if (!isSuccess(status)) return "";
    if (isTooLarge(error)) throw tooLargeError(status, maxResponseBytes);
    const problem = `${status}, but the body (${bytes.length} bytes) can't be decompressed`;
    throw new ProviderError("transient", "INVALID_RESPONSE", problem, { status, requestId: requestIdOf(headers) });
  }
  const start = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? 3 : 0;
  return bytes.toString("utf8", start);
}

/** The same request would bring such an answer again, and pay for it: it is not tried again. */
export function tooLargeError(status: number, maxResponseBytes: number): ProviderError {
  const problem = `${status}, but the body is larger than maxResponseBytes (${maxResponseBytes})`;
  return new ProviderError("row", "INVALID_RESPONSE", problem, {
    status,
    where: "maxResponseBytes",
    expected: `at most ${maxResponseBytes} bytes`,
    hint: "raise maxResponseBytes if the model may answer so much",
  });
}

/** Each may make a body of `maxResponseBytes`. */
const mostEncodings = 3;

/** The encodings in the order in which they were applied. No JSON begins like gzip, so that is taken for it without a header. */
function encodingsOf(headers: HTTPAnswer["headers"], bytes: Buffer): readonly string[] {
  const header = headers["content-encoding"] ?? "";
  const named = (typeof header === "string" ? header : header.join(",")).toLowerCase().split(",");
  const encodings = named.map((name) => name.trim()).filter((name) => name !== "" && name !== "identity");
  if (encodings.length > mostEncodings) throw new RangeError("a body in more encodings than anybody applies");
  return encodings.length === 0 && isGzip(bytes) ? ["gzip"] : encodings;
}

/** A proxy may decompress a body and leave the header: what looks like text then is taken as it is. */
function decompressOrKeep(bytes: Buffer, encoding: string, maxOutputLength: number): Buffer {
  try {
    return decompress(bytes, encoding, maxOutputLength);
  } catch (error) {
    if (!isTooLarge(error) && looksLikeText(bytes)) return bytes;
    throw error;
  }
}

function decompress(bytes: Buffer, encoding: string, maxOutputLength: number): Buffer {
  if (encoding === "br") return brotliDecompressSync(bytes, { maxOutputLength });
  if (encoding === "zstd") return zstdDecompressSync(bytes, { maxOutputLength });
  if (encoding === "deflate") {
    // The lower half of a first byte of zlib is 8; some servers send deflate without zlib's header.
    return ((bytes[0] ?? 0) & 0x0f) === 8
      ? inflateSync(bytes, { maxOutputLength })
      : inflateRawSync(bytes, { maxOutputLength });
  }
  return isGzip(bytes) ? gunzipSync(bytes, { maxOutputLength }) : bytes;
}

/** A brace, a bracket or a tag, perhaps behind white space or a byte order mark, and then text. */
function looksLikeText(bytes: Buffer): boolean {
  return /^\s*[{[<]\s*["<{[\]}a-zA-Z!]/.test(bytes.toString("utf8", 0, 64));
}

function isGzip(bytes: Buffer): boolean {
  return bytes[0] === 0x1f && bytes[1] === 0x8b;
}

function isTooLarge(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ERR_BUFFER_TOO_LARGE";
}
