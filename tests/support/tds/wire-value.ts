import { type ByteReader, ByteWriter } from "./bytes.ts";
import { collationBytes, collationOf, decodeCodePage, defaultCollation, encodeCodePage } from "./collation.ts";
import { decimalText, isVariant, parseDecimal } from "./convert.ts";
import { day1900, formatMoment, type Moment, parseMoment, toLocal, toUTC } from "./date-time.ts";
import { decimalBytes, family, isUnicode, type SQLType, textOf, type Value } from "./sql-type.ts";
import { isFixed, variantCode, type WireType } from "./type-info.ts";

const nullChunked = 0xffff_ffff_ffff_ffffn;

/** Writes a cell of a row, or an output parameter, after its TYPE_INFO. */
export function writeValue(out: ByteWriter, value: Value, type: SQLType, nullable: boolean): void {
  const { name, length } = type;
  if (name === "text" || name === "ntext" || name === "image") {
    if (value === null) out.u8(0);
    else {
      const bytes = valueBytes(value, type);
      out.u8(16).bytes(Buffer.alloc(24, 1)).u32(bytes.length).bytes(bytes); // text pointer and timestamp mean nothing to a client
    }
  } else if (name === "xml" || family(type) === "udt" || length === -1) {
    if (value === null) out.u64(nullChunked);
    else {
      const bytes = valueBytes(value, type);
      out.u64(BigInt(bytes.length));
      if (bytes.length > 0) out.u32(bytes.length).bytes(bytes);
      out.u32(0);
    }
  } else if (name === "sql_variant") {
    if (isVariant(value)) writeVariant(out, value.value, value.type);
    else out.u32(0);
  } else if (length !== undefined || name === "timestamp") {
    if (value === null) out.u16(0xffff);
    else {
      const bytes = valueBytes(value, type);
      out.u16(bytes.length).bytes(bytes);
    }
  } else if (value === null) out.u8(0);
  else {
    if (!isFixed(type, nullable)) out.u8(fixedSize(type));
    writeFixed(out, value, type);
  }
}

function valueBytes(value: Value, type: SQLType): Buffer {
  if (Buffer.isBuffer(value)) return value;
  const text = textOf(value);
  return isUnicode(type)
    ? Buffer.from(text, "utf16le")
    : encodeCodePage(text, collationOf(type.collation ?? defaultCollation));
}

function writeVariant(out: ByteWriter, value: Value, type: SQLType): void {
  const properties = new ByteWriter();
  const body = new ByteWriter();
  if (family(type) === "text") {
    // In the order in which the driver reads them.
    properties.u16(8000).bytes(collationBytes(collationOf(type.collation ?? defaultCollation)));
    body.bytes(valueBytes(value, type));
  } else if (Buffer.isBuffer(value)) {
    properties.u16(8000);
    body.bytes(value);
  } else {
    if (type.precision !== undefined) properties.u8(type.precision).u8(type.scale ?? 0);
    else if (type.scale !== undefined) properties.u8(type.scale);
    writeFixed(body, value, type);
  }
  const [head, tail] = [properties.take(), body.take()];
  out
    .u32(head.length + tail.length + 2)
    .u8(variantCode(type))
    .u8(head.length)
    .bytes(head)
    .bytes(tail);
}

function timeSize(scale = 7): number {
  return scale <= 2 ? 3 : scale <= 4 ? 4 : 5;
}

function fixedSize(type: SQLType): number {
  const plain: string = type.name; // the others are below
  switch (plain) {
    case "tinyint":
    case "bit":
      return 1;
    case "smallint":
      return 2;
    case "int":
    case "real":
    case "smallmoney":
    case "smalldatetime":
      return 4;
    case "decimal":
    case "numeric":
      return decimalBytes(type.precision ?? 18) + 1;
    case "date":
      return 3;
    case "time":
      return timeSize(type.scale);
    case "datetime2":
      return timeSize(type.scale) + 3;
    case "datetimeoffset":
      return timeSize(type.scale) + 5;
    case "uniqueidentifier":
      return 16;
    default:
      return 8;
  }
}

function writeFixed(out: ByteWriter, value: Value, type: SQLType): void {
  const plain: string = type.name; // the others are below
  switch (plain) {
    case "bit":
      out.u8(value === true ? 1 : 0);
      break;
    case "tinyint":
      out.u8(Number(value));
      break;
    case "smallint":
      out.i16(Number(value));
      break;
    case "int":
      out.i32(Number(value));
      break;
    case "bigint":
      out.u64(BigInt(textOf(value)));
      break;
    case "real":
      out.f32(Number(value));
      break;
    case "float":
      out.f64(Number(value));
      break;
    case "money": {
      const scaled = BigInt.asUintN(64, parseDecimal(textOf(value))?.unscaled ?? 0n);
      out.u32(Number(scaled >> 32n)).u32(Number(scaled & 0xffff_ffffn)); // the high half stands first
      break;
    }
    case "smallmoney":
      out.i32(Number(parseDecimal(textOf(value))?.unscaled ?? 0n));
      break;
    case "decimal":
    case "numeric": {
      const unscaled = parseDecimal(textOf(value))?.unscaled ?? 0n;
      out.u8(unscaled < 0n ? 0 : 1).unsigned(unscaled < 0n ? -unscaled : unscaled, decimalBytes(type.precision ?? 18));
      break;
    }
    case "uniqueidentifier":
      out.bytes(guidBytes(textOf(value)));
      break;
    default:
      writeMoment(out, parseMoment(textOf(value)) ?? { day: 0, ticks: 0, offset: 0 }, type);
  }
}

function writeMoment(out: ByteWriter, local: Moment, type: SQLType): void {
  const moment = type.name === "datetimeoffset" ? toUTC(local) : local;
  const { day, ticks } = moment;
  if (type.name === "datetime") out.i32(day - day1900).u32(Math.round((ticks * 3) / 100_000));
  else if (type.name === "smalldatetime") out.u16(day - day1900).u16(Math.round(ticks / 600_000_000));
  else {
    if (type.name !== "date") {
      const { scale = 7 } = type;
      out.unsigned(BigInt(Math.round(ticks / 10 ** (7 - scale))), timeSize(scale));
    }
    if (type.name !== "time") out.unsigned(BigInt(day), 3);
    if (type.name === "datetimeoffset") out.i16(local.offset);
  }
}

/** Reads a parameter, or a cell of a bulk row (whose text, ntext and image have a text pointer before them). */
export function readValue(input: ByteReader, type: WireType, inBulk = false): Value {
  const { name } = type;
  if (name === "text" || name === "ntext" || name === "image") {
    if (inBulk) {
      if (input.u8() === 0) return null;
      input.bytes(24);
    }
    const length = input.i32();
    return length === -1 ? null : decode(input.bytes(length), type);
  }
  if (type.chunked) {
    if (input.u64() === nullChunked) return null;
    const chunks: Buffer[] = [];
    for (let size = input.u32(); size > 0; size = input.u32()) chunks.push(input.bytes(size));
    return decode(Buffer.concat(chunks), type);
  }
  if (type.length !== undefined) {
    const length = input.u16();
    return length === 0xffff ? null : decode(input.bytes(length), type);
  }
  const size = type.code < 0x40 && isFixedCode(type.code) ? fixedSize(type) : input.u8();
  return size === 0 ? null : readFixed(input, type, size);
}

const isFixedCode = (code: number): boolean => code >= 0x30 && code <= 0x3e;

function decode(bytes: Buffer, type: WireType): Value {
  if (family(type) === "binary") return bytes;
  return isUnicode(type) ? bytes.toString("utf16le") : decodeCodePage(bytes, type.collationBytes);
}

function readFixed(input: ByteReader, type: SQLType, size: number): Value {
  const plain: string = type.name; // the others are below
  switch (plain) {
    case "bit":
      return input.u8() !== 0;
    case "tinyint":
      return input.u8();
    case "smallint":
      return input.i16();
    case "int":
      return input.i32();
    case "bigint":
      return BigInt.asIntN(64, input.u64());
    case "real":
      return input.f32();
    case "float":
      return input.f64();
    case "money": {
      const high = BigInt(input.i32());
      return decimalText((high << 32n) | BigInt(input.u32()), 4);
    }
    case "smallmoney":
      return decimalText(BigInt(input.i32()), 4);
    case "decimal":
    case "numeric": {
      const negative = input.u8() === 0;
      const magnitude = input.unsigned(size - 1);
      return decimalText(negative ? -magnitude : magnitude, type.scale ?? 0);
    }
    case "uniqueidentifier":
      return guidText(input.bytes(16));
    default:
      return formatMoment(readMoment(input, type), type);
  }
}

function readMoment(input: ByteReader, type: SQLType): Moment {
  if (type.name === "datetime") {
    const day = input.i32() + day1900;
    return { day, ticks: (input.u32() * 100_000) / 3, offset: 0 };
  }
  if (type.name === "smalldatetime") return { day: input.u16() + day1900, ticks: input.u16() * 600_000_000, offset: 0 };
  const { scale = 7 } = type;
  const ticks = type.name === "date" ? 0 : Number(input.unsigned(timeSize(scale))) * 10 ** (7 - scale);
  const day = type.name === "time" ? day1900 : Number(input.unsigned(3));
  const offset = type.name === "datetimeoffset" ? input.i16() : 0;
  return toLocal({ day, ticks, offset });
}

function guidBytes(text: string): Buffer {
  const bytes = Buffer.from(text.replaceAll("-", ""), "hex");
  bytes.subarray(0, 4).reverse();
  bytes.subarray(4, 6).reverse();
  bytes.subarray(6, 8).reverse();
  return bytes;
}

function guidText(stored: Buffer): string {
  const hex = guidBytes(stored.toString("hex")).toString("hex").toUpperCase(); // the same swap both ways
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}
