import { type FileHandle, open } from "node:fs/promises";
import { type OtherLine, readLine, type RowLine } from "./line.ts";

/** The place of a line in the file, from byte `start` to before byte `end` (its end of line included), and its number from 1. */
interface Place {
  readonly number: number;
  readonly start: number;
  readonly end: number;
}

export type RowPlace = Place & Omit<RowLine, "raw">;
export type LinePlace = RowPlace | (Place & OtherLine);

const newline = 0x0a;
const chunkBytes = 1024 ** 2;

/**
 * The places of a dead letter file's lines: of each row the last one, and all that are about no row. A row without a key of its own is known by
 * its content, from run to run. Content is not kept.
 */
export class DeadLetterContents {
  readonly #rows = new Map<string, RowPlace>();
  readonly #others = new Set<LinePlace>();
  /** The lines of the last run on each row without a key, by content. */
  readonly #keyless = new Map<string, { readonly runId: string; readonly places: LinePlace[] }>();
  /** Each error code once: as many texts as rows would be as many times the memory. */
  readonly #codes = new Map<string, string>();
  readonly #pipeline: string;
  #lineCount = 0;
  #outdatedCount = 0;
  #end = 0;

  /** Lines of other pipelines stand for no row. */
  constructor(pipeline: string) {
    this.#pipeline = pipeline;
  }

  /** The byte after the last line that was read. */
  get end(): number {
    return this.#end;
  }

  /** The number of lines on rows that have a later line. */
  get outdatedCount(): number {
    return this.#outdatedCount;
  }

  /** The last line of each row, in the file's order. */
  get rows(): Iterable<RowPlace> {
    return this.#rows.values();
  }

  rowOf(pk: string): RowPlace | undefined {
    return this.#rows.get(pk);
  }

  /** The lines that count, in the file's order. */
  get lines(): readonly LinePlace[] {
    return [...this.#rows.values(), ...this.#others].toSorted((left, right) => left.start - right.start);
  }

  /** Reads from where it left off. A last line without its end is left: somebody is writing it. */
  async readOn(file: FileHandle): Promise<void> {
    const chunk = Buffer.allocUnsafe(chunkBytes);
    let begun: Buffer[] = [];
    for (let position = this.#end; ;) {
      const { bytesRead } = await file.read(chunk, 0, chunk.length, position);
      if (bytesRead === 0) return;
      position += bytesRead;
      let from = 0;
      for (let to = lineEnd(chunk, from, bytesRead); to > 0; to = lineEnd(chunk, from, bytesRead)) {
        const last = chunk.subarray(from, to);
        this.#add(begun.length === 0 ? last : Buffer.concat([...begun, last]));
        begun = [];
        from = to;
      }
      if (from < bytesRead) begun.push(Buffer.from(chunk.subarray(from, bytesRead))); // a copy: the chunk is used again
    }
  }

  #add(bytes: Buffer): void {
    this.#lineCount += 1;
    const place = { number: this.#lineCount, start: this.#end, end: this.#end + bytes.length };
    this.#end = place.end;
    if (isBlank(bytes)) return;
    const content = readLine(bytes, this.#pipeline);
    if (content.pk === null) {
      this.#addOther(place, content);
    } else {
      const { pk, failedAtMs, problem } = content;
      if (this.#rows.delete(pk)) this.#outdatedCount += 1; // deleted, so that the map is in the order of the last lines
      this.#rows.set(pk, { ...place, pk, errorCode: this.#codeLike(content.errorCode), failedAtMs, problem });
    }
  }

  #addOther(place: Place, { failure, ...content }: OtherLine): void {
    const other = { ...place, ...content };
    this.#others.add(other);
    if (failure === undefined) return;
    const { runId } = failure;
    const last = this.#keyless.get(failure.content);
    if (last?.runId === runId) {
      last.places.push(other);
      return;
    }
    for (const outdated of last?.places ?? []) this.#others.delete(outdated);
    this.#outdatedCount += last?.places.length ?? 0;
    this.#keyless.set(failure.content, { runId, places: [other] });
  }

  #codeLike(code: string): string {
    const known = this.#codes.get(code) ?? code;
    this.#codes.set(known, known);
    return known;
  }
}

/** The byte after the next end of a line, 0 where there is none before `end`. */
function lineEnd(chunk: Buffer, from: number, end: number): number {
  const at = chunk.indexOf(newline, from);
  return at === -1 || at >= end ? 0 : at + 1;
}

function isBlank(bytes: Buffer): boolean {
  return bytes.length <= 2 && bytes.toString("latin1").trim() === "";
}

/** The bytes of a line; fewer where the file was cut. */
export async function bytesOf(file: FileHandle, { start, end }: Place): Promise<Buffer> {
  const bytes = Buffer.alloc(end - start);
  for (let done = 0; done < bytes.length;) {
    const { bytesRead } = await file.read(bytes, done, bytes.length - done, start + done);
    if (bytesRead === 0) return bytes.subarray(0, done); // it was cut
    done += bytesRead;
  }
  return bytes;
}

/** The primary keys of a pipeline's rows in a file, each with the time of its last failure, in milliseconds since 1970. */
export async function failuresIn(path: string, pipeline: string): Promise<ReadonlyMap<string, number>> {
  const contents = new DeadLetterContents(pipeline);
  const file = await open(path, "r");
  try {
    await contents.readOn(file);
  } finally {
    await file.close();
  }
  return new Map([...contents.rows].map(({ pk, failedAtMs }) => [pk, failedAtMs]));
}
