import type { FileHandle } from "node:fs/promises";

/** A part of a form with files (multipart/form-data, RFC 7578), as a range of the file that holds the form. */
export interface FormPart {
  readonly name: string;
  /** Undefined for a field that is no file. */
  readonly fileName: string | undefined;
  /** The place of its first byte. */
  readonly start: number;
  readonly bytes: number;
}

const maxHeaderBytes = 16 * 1024;

/**
 * Finds the parts of a form. Memory holds one chunk of it: Node's own `Response.formData` needs eight times the form's size. Undefined for bytes
 * that are no form, or for one that breaks off.
 */
export async function formPartsOf(
  handle: FileHandle,
  contentType: string | undefined,
): Promise<readonly FormPart[] | undefined> {
  const [, quoted, plain] = /^multipart\/form-data;.*?boundary=(?:"([^"]+)"|([^\s;]+))/i.exec(contentType ?? "") ?? [];
  const boundary = quoted ?? plain;
  if (boundary === undefined) return undefined;
  const delimiter = Buffer.from(`--${boundary}`);
  const places = await placesOf(handle, delimiter);
  const parts: FormPart[] = [];
  for (const [index, place] of places.entries()) {
    const head = await textAt(handle, place + delimiter.length);
    if (head.startsWith("--")) return parts;
    const part = partOf(head, place + delimiter.length, (places[index + 1] ?? 0) - 2);
    if (part === undefined) return undefined;
    parts.push(part);
  }
  return undefined; // the delimiter that ends the form did not come
}

/** The part whose header begins at `place` with `head`, and whose content ends at `end`. */
function partOf(head: string, place: number, end: number): FormPart | undefined {
  const length = head.indexOf("\r\n\r\n");
  const header = head.slice(0, length);
  const name = /[;\s]name="([^"]*)"/i.exec(header)?.[1];
  const start = place + Buffer.byteLength(header, "latin1") + 4;
  if (length === -1 || name === undefined || end < start) return undefined;
  return { name, fileName: /[;\s]filename="([^"]*)"/i.exec(header)?.[1], start, bytes: end - start };
}

async function placesOf(handle: FileHandle, delimiter: Buffer): Promise<readonly number[]> {
  const places: number[] = [];
  let rest = Buffer.alloc(0);
  let restAt = 0;
  const chunks: AsyncIterable<Buffer> = handle.createReadStream({ start: 0, autoClose: false });
  for await (const chunk of chunks) {
    const window = Buffer.concat([rest, chunk]);
    let from = 0;
    for (let found = window.indexOf(delimiter); found !== -1; found = window.indexOf(delimiter, from)) {
      places.push(restAt + found);
      from = found + delimiter.length;
    }
    const kept = Math.max(from, window.length - delimiter.length + 1);
    rest = window.subarray(kept);
    restAt += kept;
  }
  return places;
}

/** One character a byte. */
async function textAt(handle: FileHandle, place: number): Promise<string> {
  const { buffer, bytesRead } = await handle.read(Buffer.allocUnsafe(maxHeaderBytes), 0, maxHeaderBytes, place);
  return buffer.toString("latin1", 0, bytesRead);
}
