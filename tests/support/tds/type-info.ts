import type { ByteReader, ByteWriter } from "./bytes.ts";
import { collationBytes, collationOf, defaultCollation } from "./collation.ts";
import { decimalBytes, isUnicode, type SQLType, type TypeName } from "./sql-type.ts";

/** A type as it came with a parameter or a bulk column: text knows its code page, and max types come in chunks. */
export interface WireType extends SQLType {
  readonly code: number;
  readonly chunked: boolean;
  readonly collationBytes?: Buffer;
}

// MS-TDS 2.2.5.4: the fixed-length codes are for columns that are NOT NULL, the others have a length byte and can be NULL.
const fixedCodes: Partial<Record<TypeName, number>> = {
  tinyint: 0x30,
  bit: 0x32,
  smallint: 0x34,
  int: 0x38,
  smalldatetime: 0x3a,
  real: 0x3b,
  money: 0x3c,
  datetime: 0x3d,
  float: 0x3e,
  smallmoney: 0x7a,
  bigint: 0x7f,
};
const sizedCodes: Partial<Record<TypeName, readonly [code: number, size: number]>> = {
  tinyint: [0x26, 1],
  smallint: [0x26, 2],
  int: [0x26, 4],
  bigint: [0x26, 8],
  bit: [0x68, 1],
  real: [0x6d, 4],
  float: [0x6d, 8],
  smallmoney: [0x6e, 4],
  money: [0x6e, 8],
  smalldatetime: [0x6f, 4],
  datetime: [0x6f, 8],
  uniqueidentifier: [0x24, 16],
};
const otherCodes: Partial<Record<TypeName, number>> = {
  image: 0x22,
  text: 0x23,
  date: 0x28,
  time: 0x29,
  datetime2: 0x2a,
  datetimeoffset: 0x2b,
  sql_variant: 0x62,
  ntext: 0x63,
  decimal: 0x6a,
  numeric: 0x6c,
  varbinary: 0xa5,
  varchar: 0xa7,
  binary: 0xad,
  timestamp: 0xad,
  char: 0xaf,
  nvarchar: 0xe7,
  nchar: 0xef,
  geography: 0xf0,
  geometry: 0xf0,
  hierarchyid: 0xf0,
  xml: 0xf1,
};
const maximumLength = 0xffff;

/** True where the value is written without a length, as the type is of fixed length and NOT NULL. */
export function isFixed(type: SQLType, nullable: boolean): boolean {
  return !nullable && fixedCodes[type.name] !== undefined;
}

/** The base type code inside of a sql_variant. */
export function variantCode(type: SQLType): number {
  return fixedCodes[type.name] ?? sizedCodes[type.name]?.[0] ?? otherCodes[type.name] ?? 0;
}

export function writeTypeInfo(out: ByteWriter, type: SQLType, nullable: boolean): void {
  const fixed = fixedCodes[type.name];
  if (!nullable && fixed !== undefined) {
    out.u8(fixed);
    return;
  }
  const sized = sizedCodes[type.name];
  if (sized !== undefined) {
    out.u8(sized[0]).u8(sized[1]);
    return;
  }
  out.u8(otherCodes[type.name] ?? 0);
  const { name, length = -1, precision = 18, scale = 0 } = type;
  const collation = collationBytes(collationOf(type.collation ?? defaultCollation));
  const plain: string = name; // the others have nothing to add
  switch (plain) {
    case "decimal":
    case "numeric":
      out
        .u8(decimalBytes(precision) + 1)
        .u8(precision)
        .u8(scale);
      break;
    case "time":
    case "datetime2":
    case "datetimeoffset":
      out.u8(scale);
      break;
    case "char":
    case "varchar":
    case "nchar":
    case "nvarchar":
      out.u16(length === -1 ? maximumLength : length * (isUnicode(type) ? 2 : 1)).bytes(collation);
      break;
    case "binary":
    case "varbinary":
      out.u16(length === -1 ? maximumLength : length);
      break;
    case "timestamp":
      out.u16(8);
      break;
    case "text":
    case "ntext":
      out.u32(0x7fff_ffff).bytes(collation);
      break;
    case "image":
      out.u32(0x7fff_ffff);
      break;
    case "xml":
      out.u8(0);
      break;
    case "sql_variant":
      out.u32(8009);
      break;
    case "geography":
    case "geometry":
    case "hierarchyid":
      out.u16(name === "hierarchyid" ? 892 : maximumLength);
      out.text("clinic", 1).text("sys", 1).text(name, 1).text(`Microsoft.SqlServer.Types, type ${name}`, 2);
      break;
    default:
  }
}

/** Reads the type of a parameter or of a bulk column; undefined for one that no client may send. */
export function readTypeInfo(input: ByteReader): WireType | undefined {
  const code = input.u8();
  const sized = Object.entries(sizedCodes).filter(([, [sizedCode]]) => sizedCode === code);
  if (sized.length > 0) {
    const size = input.u8();
    return wire(code, sized.find(([, [, bytes]]) => bytes === size)?.[0]);
  }
  const name = nameOf(fixedCodes, code) ?? nameOf(otherCodes, code);
  if (name === undefined) return undefined;
  const type = wireOf(code, name);
  const plain: string = name; // the others have nothing more to say, or may not be sent
  switch (plain) {
    case "decimal":
    case "numeric":
      input.u8();
      return { ...type, precision: input.u8(), scale: input.u8() };
    case "time":
    case "datetime2":
    case "datetimeoffset":
      return { ...type, scale: input.u8() };
    case "char":
    case "varchar":
    case "nchar":
    case "nvarchar": {
      const bytes = input.u16();
      const chunked = bytes === maximumLength;
      const length = chunked ? -1 : bytes / (name.startsWith("n") ? 2 : 1);
      return { ...type, length, chunked, collationBytes: input.bytes(5) };
    }
    case "binary":
    case "varbinary": {
      const bytes = input.u16();
      const chunked = bytes === maximumLength;
      return { ...type, length: chunked ? -1 : bytes, chunked };
    }
    case "text":
    case "ntext":
      input.u32();
      return { ...type, collationBytes: input.bytes(5) };
    case "image":
      input.u32();
      return type;
    default:
      return name === "date" || fixedCodes[name] === code ? type : undefined;
  }
}

function wire(code: number, name: string | undefined): WireType | undefined {
  const found = allNames.find((candidate) => candidate === name);
  return found === undefined ? undefined : wireOf(code, found);
}

function wireOf(code: number, name: TypeName): WireType {
  return { name, code, chunked: false };
}

// The keys of the tables above are names of types: Object.keys only forgets it.
const allNames = [...Object.keys(fixedCodes), ...Object.keys(sizedCodes), ...Object.keys(otherCodes)] as TypeName[];

function nameOf(codes: Partial<Record<TypeName, number>>, code: number): TypeName | undefined {
  return allNames.find((name) => codes[name] === code);
}
