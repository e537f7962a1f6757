import type { FileHandle } from "node:fs/promises";
import type { Readable } from "node:stream";
import { crc32 } from "node:zlib";
import type { Entry, ZipFile } from "yauzl";
import { damaged, maxPartBytes, notReadable } from "./faults.ts";
import type { Yauzl } from "./packages.ts";

/** The parts of a workbook, by their names in small letters: names differ by more than case. */
export interface Archive {
  readonly has: (name: string) => boolean;
  /**
   * The bytes of a part, a piece at a time.
   *
   * @throws {SourceError} if they are not as the archive says
   */
  readonly read: (name: string, signal: AbortSignal) => AsyncGenerator<Buffer, void, undefined>;
}

/** A workbook has some tens of parts. */
const maxEntries = 20_000;
/** The most bytes of a part that is read piece by piece. */
const maxStreamedBytes = 8 * 1024 * 1024 * 1024;
/** Larger parts that were packed better than this are no workbook's: sheets are packed to a tenth or a thirtieth. */
const suspectBytes = 64 * 1024 * 1024;
const suspectRatio = 300;

/** @throws {SourceError} for a file that is no archive, or is cut off */
export async function openArchive(owner: string, file: FileHandle, yauzl: Yauzl): Promise<Archive> {
  const zip = await new Promise<ZipFile>((resolve, reject) => {
    yauzl.fromFd(file.fd, { lazyEntries: true, autoClose: false }, (error, opened) => {
      if (error === null) resolve(opened);
      else reject(damaged(owner, "its archive is not complete", error));
    });
  });
  const entries = await entriesOf(owner, zip);
  const entryOf = (name: string): Entry => {
    const entry = entries.get(name.toLowerCase());
    if (entry === undefined) throw damaged(owner, "a part is missing");
    return entry;
  };
  return {
    has: (name) => entries.has(name.toLowerCase()),
    read: (name, signal) => readEntry(owner, zip, entryOf(name), signal),
  };
}

async function entriesOf(owner: string, zip: ZipFile): Promise<ReadonlyMap<string, Entry>> {
  if (zip.entryCount > maxEntries) {
    throw notReadable(owner, "an archive of too many parts", { parts: zip.entryCount });
  }
  const entries = new Map<string, Entry>();
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  zip.on("entry", (entry) => {
    entries.set(entry.fileName.toLowerCase().replace(/^\//, ""), entry);
    zip.readEntry();
  });
  zip.once("end", resolve);
  zip.on("error", (error: unknown) => reject(damaged(owner, "the list of its parts can't be read", error)));
  zip.readEntry();
  await promise;
  return entries;
}

async function* readEntry(
  owner: string,
  zip: ZipFile,
  entry: Entry,
  signal: AbortSignal,
): AsyncGenerator<Buffer, void, undefined> {
  requireUsable(owner, entry);
  const stream = await new Promise<Readable>((resolve, reject) => {
    zip.openReadStream(entry, (error, opened) => {
      if (error === null) resolve(opened);
      else reject(damaged(owner, "a part of it can't be read", error));
    });
  });
  let sum = 0;
  try {
    // It gives bytes, for no encoding is set.
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      signal.throwIfAborted();
      sum = crc32(chunk, sum);
      yield chunk;
    }
  } catch (error) {
    signal.throwIfAborted();
    throw damaged(owner, "a part of it can't be unpacked", error);
  } finally {
    stream.destroy();
  }
  if (sum !== entry.crc32) throw damaged(owner, "a part of it is not what was packed");
}

function requireUsable(owner: string, entry: Entry): void {
  const { uncompressedSize: bytes, compressedSize, compressionMethod, generalPurposeBitFlag } = entry;
  if ((generalPurposeBitFlag & 1) === 1) {
    throw notReadable(owner, "an archive with a password", { hint: "save it without one" });
  }
  if (compressionMethod !== 0 && compressionMethod !== 8) {
    throw notReadable(owner, "an archive that is packed in a way Excel does not use", { method: compressionMethod });
  }
  const isBomb = bytes > suspectBytes && bytes > compressedSize * suspectRatio;
  if (isBomb || bytes > maxStreamedBytes) {
    throw notReadable(owner, "an archive that unpacks to far more than a workbook has", { bytes });
  }
}

/**
 * Gives a part that is held in memory to `take`, piece by piece.
 *
 * @throws {SourceError} if it is too large for that
 */
export async function takePart(
  owner: string,
  archive: Archive,
  name: string,
  take: (bytes: Buffer) => void,
  signal: AbortSignal,
): Promise<void> {
  let bytes = 0;
  for await (const chunk of archive.read(name, signal)) {
    bytes += chunk.length;
    if (bytes > maxPartBytes) {
      const hint = "save the sheet as CSV, and read it with CSVSource";
      throw notReadable(owner, "a workbook with more text than is held in memory", { bytes: maxPartBytes, hint });
    }
    take(chunk);
  }
}
