import type { ByteWriter } from "./bytes.ts";
import { collationBytes, collationOf } from "./collation.ts";
import type { SQLError } from "./sql-error.ts";
import { family, type SQLType, type Value } from "./sql-type.ts";
import { writeTypeInfo } from "./type-info.ts";
import { writeValue } from "./wire-value.ts";

/** A column of a result set. */
export interface ResultColumn {
  readonly name: string;
  readonly type: SQLType;
  readonly nullable: boolean;
  readonly identity?: boolean;
  readonly computed?: boolean;
}

/** Rows may be made while they are read. */
export interface ResultSet {
  readonly columns: readonly ResultColumn[];
  readonly rows: Iterable<readonly Value[]>;
}

export const doneTokens = { done: 0xfd, procedure: 0xfe, inProcedure: 0xff } as const;

/** The end of a statement, of a procedure or of the response (MS-TDS 2.2.7.6). */
export function writeDone(
  out: ByteWriter,
  token: number,
  settings: { more?: boolean; failed?: boolean; attention?: boolean; count?: number } = {},
): void {
  const { more = false, failed = false, attention = false, count } = settings;
  const status = (more ? 1 : 0) | (failed ? 2 : 0) | (count === undefined ? 0 : 0x10) | (attention ? 0x20 : 0);
  out
    .u8(token)
    .u16(status)
    .u16(0xc1)
    .u64(BigInt(count ?? 0));
}

export function writeColumns(out: ByteWriter, columns: readonly ResultColumn[]): void {
  out.u8(0x81).u16(columns.length);
  for (const { name, type, nullable, identity = false, computed = false } of columns) {
    const caseSensitive =
      family(type) === "text" && type.collation !== undefined && !collationOf(type.collation).ignoresCase;
    const readOnly = identity || computed || type.name === "timestamp";
    out.u32(type.name === "timestamp" ? 80 : 0);
    out.u16(
      (nullable ? 1 : 0) | (caseSensitive ? 2 : 0) | (readOnly ? 0 : 8) | (identity ? 0x10 : 0) | (computed ? 0x20 : 0),
    );
    writeTypeInfo(out, type, nullable);
    if (type.name === "text" || type.name === "ntext" || type.name === "image") out.u8(1).text("t", 2);
    out.text(name, 1);
  }
}

export function writeRow(out: ByteWriter, columns: readonly ResultColumn[], row: readonly Value[]): void {
  out.u8(0xd1);
  for (const [index, { type, nullable }] of columns.entries()) writeValue(out, row[index] ?? null, type, nullable);
}

export function writeError(out: ByteWriter, error: SQLError, procedure = ""): void {
  writeMessage(out, 0xaa, {
    number: error.number,
    state: error.state,
    class: error.class,
    text: error.message,
    line: error.line,
    procedure,
  });
}

/** "The statement has been terminated." and its like: for reading, not for handling. */
export function writeInformation(out: ByteWriter, number: number, text: string): void {
  writeMessage(out, 0xab, { number, state: 0, class: 0, text, line: 1, procedure: "" });
}

function writeMessage(
  out: ByteWriter,
  token: number,
  message: { number: number; state: number; class: number; text: string; line: number; procedure: string },
): void {
  const text = message.text.slice(0, 2000);
  const server = "test";
  const length = 14 + (text.length + server.length + message.procedure.length) * 2;
  out.u8(token).u16(length).u32(message.number).u8(message.state).u8(message.class);
  out.text(text, 2).text(server, 1).text(message.procedure, 1).u32(message.line);
}

export const changes = {
  database: 1,
  language: 2,
  packetSize: 4,
  collation: 7,
  begin: 8,
  commit: 9,
  rollback: 10,
  reset: 18,
} as const;

/** ENVCHANGE with text. */
export function writeTextChange(out: ByteWriter, change: number, value: string, before: string): void {
  out
    .u8(0xe3)
    .u16(3 + (value.length + before.length) * 2)
    .u8(change)
    .text(value, 1)
    .text(before, 1);
}

/** ENVCHANGE with bytes. */
export function writeChange(out: ByteWriter, change: number, value: Uint8Array, before: Uint8Array): void {
  out
    .u8(0xe3)
    .u16(3 + value.length + before.length)
    .u8(change);
  out.u8(value.length).bytes(value).u8(before.length).bytes(before);
}

export function writeCollationChange(out: ByteWriter, collation: string): void {
  writeChange(out, changes.collation, collationBytes(collationOf(collation)), Buffer.alloc(0));
}

export function writeLoginAck(out: ByteWriter, version: readonly [number, number, number]): void {
  const program = "Microsoft SQL Server";
  out
    .u8(0xad)
    .u16(10 + program.length * 2)
    .u8(1)
    .bytes(Buffer.from([0x74, 0, 0, 4]))
    .text(program, 1);
  out
    .u8(version[0])
    .u8(version[1])
    .u8(version[2] >> 8)
    .u8(version[2] & 0xff);
}

export function writeReturnStatus(out: ByteWriter, status: number): void {
  out.u8(0x79).i32(status);
}

export function writeReturnValue(out: ByteWriter, name: string, type: SQLType, value: Value): void {
  out.u8(0xac).u16(0).text(name, 1).u8(1).u32(0).u16(1);
  writeTypeInfo(out, type, true);
  writeValue(out, value, type, true);
}

/** Where a client with `Authentication=Active Directory …` is told to fetch its token. */
export function writeFederatedInformation(out: ByteWriter, stsURL: string, spn: string): void {
  const [url, name] = [Buffer.from(stsURL, "utf16le"), Buffer.from(spn, "utf16le")];
  const start = 4 + 2 * 9;
  out
    .u8(0xee)
    .u32(start + url.length + name.length)
    .u32(2);
  out
    .u8(1)
    .u32(url.length)
    .u32(start)
    .u8(2)
    .u32(name.length)
    .u32(start + url.length)
    .bytes(url)
    .bytes(name);
}

export function writeFeatureAcknowledgements(
  out: ByteWriter,
  features: readonly (readonly [id: number, data: Uint8Array])[],
): void {
  if (features.length === 0) return;
  out.u8(0xae);
  for (const [id, data] of features) out.u8(id).u32(data.length).bytes(data);
  out.u8(0xff);
}
