import { promisify } from "node:util";
import { constants, crc32, deflateRaw, deflateRawSync } from "node:zlib";
import type { ColumnValues } from "../contracts/sink.ts";
import type { AppendedPiece, FileContent } from "../data-file/file-session.ts";
import { SinkError } from "../errors/sink.ts";
import { contentOf } from "./cell-text.ts";
import { maxRows } from "./faults.ts";
import { columnLetters } from "./sheet-rows.ts";
import { rowXML, sheetBegin, sheetEnd, sheetPart, smallParts } from "./sheet-xml.ts";
import { maxZipBytes, packedPartHeader, partEnd, storedPart, zipEnd, type ZipPart } from "./zip-writer.ts";

/** The sheet that a workbook is made of. */
export interface WrittenSheet {
  /** The sink, for messages. */
  readonly owner: string;
  readonly name: string;
  readonly columns: readonly string[];
}

const pack = promisify(deflateRaw);
const roomForEnd = 64 * 1024;
/** Ends at a whole byte, so that the next piece can be packed by itself. */
const packing = { finishFlush: constants.Z_SYNC_FLUSH };

/**
 * A workbook with one sheet, as a file that grows. Each batch of rows is packed by itself: one that could not be written leaves no trace, and memory
 * does not grow with the rows.
 */
export function beginWorkbook({ owner, name, columns }: WrittenSheet): FileContent {
  const letters = columns.map((_, index) => columnLetters(index + 1));
  const parts: ZipPart[] = [];
  const before: Buffer[] = [];
  let offset = 0;
  for (const [part, xml] of smallParts(name)) {
    const [bytes, stored] = storedPart(part, xml, offset);
    parts.push(stored);
    before.push(bytes);
    offset += bytes.length;
  }
  const header = packedPartHeader(sheetPart);
  const begin = Buffer.from(sheetBegin(columns));
  const packedBegin = deflateRawSync(begin, packing);
  let sheet = grown({ name: sheetPart, crc: 0, packed: 0, size: 0, isPacked: true, offset }, begin, packedBegin);
  let rowCount = 1;
  const rows = async (batch: readonly ColumnValues[]): Promise<AppendedPiece> => {
    const first = rowCount + 1;
    const next = rowCount + batch.length;
    if (next > maxRows) throw fullSheet(owner, `holds ${maxRows - 1} rows below its header, and this run has more`);
    const xml = batch.map((values, index) => {
      return rowXML(
        first + index,
        letters,
        columns.map((column) => contentOf(values[column])),
      );
    });
    const bytes = Buffer.from(xml.join(""));
    const packed = await pack(bytes, packing);
    const larger = grown(sheet, bytes, packed);
    if (Math.max(larger.size, larger.packed) > maxZipBytes - roomForEnd)
      throw fullSheet(owner, "has no room for more than 4 GB");
    const appended = (): void => {
      sheet = larger;
      rowCount = next;
    };
    return { bytes: packed, appended };
  };
  const end = (): Buffer => {
    const bytes = Buffer.from(sheetEnd);
    const packed = deflateRawSync(bytes);
    const whole = grown(sheet, bytes, packed);
    const behind = partEnd(whole);
    const listAt = offset + header.length + whole.packed + behind.length;
    return Buffer.concat([packed, behind, zipEnd([...parts, whole], listAt)]);
  };
  return { header: Buffer.concat([...before, header, packedBegin]), rows, end };
}

/** A packed part with more behind it. */
function grown(part: ZipPart, bytes: Buffer, packed: Buffer): ZipPart {
  const { crc, size } = part;
  return { ...part, crc: crc32(bytes, crc), size: size + bytes.length, packed: part.packed + packed.length };
}

function fullSheet(owner: string, problem: string): SinkError {
  const hint =
    "write to CSV or to a table instead (no answer is paid for again), or run parts of the rows with a file for each";
  return new SinkError(owner, `a sheet of Excel ${problem}`, {
    facts: { expected: `at most ${maxRows - 1} rows`, hint },
  });
}
