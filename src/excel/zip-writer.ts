import { crc32 } from "node:zlib";

/** A part of an archive. */
export interface ZipPart {
  readonly name: string;
  readonly crc: number;
  /** Packed, in bytes. */
  readonly packed: number;
  /** Unpacked, in bytes. */
  readonly size: number;
  readonly isPacked: boolean;
  /** The place of its beginning in the archive. */
  readonly offset: number;
}

/** An archive of today's form has no more bytes than this, and no part that has. */
export const maxZipBytes = 0xffff_ffff;

/** 1 January 1980, the first day that an archive can name: the same rows give the same file. */
const noDate = 0x0021;
/** Sizes and sum stand behind the part. */
const sizesFollow = 0x0008;

/** A whole part that is kept as it is, at its place in the archive. */
export function storedPart(name: string, text: string, offset: number): readonly [bytes: Buffer, part: ZipPart] {
  const content = Buffer.from(text);
  const { length: size } = content;
  const part = { name, crc: crc32(content), packed: size, size, isPacked: false, offset };
  return [Buffer.concat([localHeader(part), content]), part];
}

/** The header of a packed part whose sizes are not known yet: {@link partEnd} gives them. */
export function packedPartHeader(name: string): Buffer {
  return localHeader({ name, crc: 0, packed: 0, size: 0, isPacked: true, offset: 0 });
}

function localHeader(part: ZipPart): Buffer {
  return Buffer.concat([uint32(0x0403_4b50), commonHeader(part), uint16(0), Buffer.from(part.name)]);
}

/** The fields that the header of a part and the list at the end share: version, flags, way of packing, time, sum, sizes, length of the name. */
function commonHeader({ name, crc, packed, size, isPacked }: ZipPart): Buffer {
  const sizes = Buffer.concat([uint32(crc), uint32(packed), uint32(size)]);
  const flags = isPacked ? sizesFollow : 0;
  return Buffer.concat([
    uint16(20),
    uint16(flags),
    uint16(isPacked ? 8 : 0),
    uint16(0),
    uint16(noDate),
    sizes,
    uint16(Buffer.byteLength(name)),
  ]);
}

/** Stands behind a packed part. */
export function partEnd({ crc, packed, size }: ZipPart): Buffer {
  return Buffer.concat([uint32(0x0807_4b50), uint32(crc), uint32(packed), uint32(size)]);
}

/** The list of the parts, which ends an archive; `offset` is its own place. */
export function zipEnd(parts: readonly ZipPart[], offset: number): Buffer {
  const list = Buffer.concat(
    parts.map((part) =>
      Buffer.concat([
        uint32(0x0201_4b50),
        uint16(20),
        commonHeader(part),
        Buffer.alloc(12), // no extras, no remark, one disk, no attributes
        uint32(part.offset),
        Buffer.from(part.name),
      ]),
    ),
  );
  const count = uint16(parts.length);
  const end = [uint32(0x0605_4b50), uint32(0), count, count, uint32(list.length), uint32(offset), uint16(0)];
  return Buffer.concat([list, ...end]);
}

function uint16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16LE(value);
  return bytes;
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}
