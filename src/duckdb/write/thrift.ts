/**
 * Thrift's compact protocol, in which the footer of a Parquet file is written: read into a tree, and written again byte for byte.
 * https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md
 */
export type Thrift =
  | { readonly kind: "boolean"; readonly value: boolean }
  | { readonly kind: "whole"; readonly type: number; readonly value: bigint }
  | { readonly kind: "bytes"; readonly type: number; readonly value: Buffer }
  | { readonly kind: "list"; readonly type: number; readonly element: number; readonly items: readonly Thrift[] }
  | Struct;

/** The fields by their numbers, in the order in which they stand. */
export interface Struct {
  readonly kind: "struct";
  readonly fields: ReadonlyMap<number, Thrift>;
}

const types = {
  true: 1,
  false: 2,
  byte: 3,
  i16: 4,
  i32: 5,
  i64: 6,
  double: 7,
  binary: 8,
  list: 9,
  set: 10,
  struct: 12,
} as const;

/** @throws {RangeError} for bytes that are no struct, or have a map, which Parquet does not use */
export function readStruct(bytes: Buffer): Struct {
  return new Reader(bytes).struct();
}

class Reader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  struct(): Struct {
    const fields = new Map<number, Thrift>();
    let id = 0;
    for (let head = this.#byte(); head !== 0; head = this.#byte()) {
      const type = head & 15;
      id = head >> 4 === 0 ? Number(this.#zigzag()) : id + (head >> 4);
      const isBoolean = type === types.true || type === types.false;
      fields.set(id, isBoolean ? { kind: "boolean", value: type === types.true } : this.#value(type));
    }
    return { kind: "struct", fields };
  }

  #value(type: number): Thrift {
    switch (type) {
      case types.byte:
        return { kind: "bytes", type, value: this.#take(1) };
      case types.i16:
      case types.i32:
      case types.i64:
        return { kind: "whole", type, value: this.#zigzag() };
      case types.double:
        return { kind: "bytes", type, value: this.#take(8) };
      case types.binary:
        return { kind: "bytes", type, value: this.#take(Number(this.#varint())) };
      case types.list:
      case types.set:
        return this.#list(type);
      case types.struct:
        return this.struct();
      default:
        throw new RangeError(`the type ${type} at byte ${this.#at} is not known`);
    }
  }

  #list(type: number): Thrift {
    const head = this.#byte();
    const element = head & 15;
    const size = head >> 4 === 15 ? Number(this.#varint()) : head >> 4;
    const isBoolean = element === types.true || element === types.false;
    const items: Thrift[] = [];
    for (let index = 0; index < size; index += 1) {
      items.push(isBoolean ? { kind: "boolean", value: this.#byte() === types.true } : this.#value(element));
    }
    return { kind: "list", type, element, items };
  }

  #byte(): number {
    this.#at += 1;
    return this.#bytes.readUInt8(this.#at - 1);
  }

  #take(length: number): Buffer {
    this.#at += length;
    if (this.#at > this.#bytes.length) throw new RangeError("the bytes end too early");
    return this.#bytes.subarray(this.#at - length, this.#at);
  }

  #varint(): bigint {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = this.#byte();
      value |= BigInt(byte & 127) << shift;
      if (byte < 128) return value;
    }
  }

  #zigzag(): bigint {
    const value = this.#varint();
    return (value & 1n) === 0n ? value >> 1n : -((value + 1n) >> 1n);
  }
}

export function writeStruct(struct: Struct): Buffer {
  const parts: Buffer[] = [];
  putStruct(parts, struct);
  return Buffer.concat(parts);
}

function putStruct(parts: Buffer[], { fields }: Struct): void {
  let last = 0;
  for (const [id, value] of fields) {
    const type = typeOf(value);
    const step = id - last;
    if (step > 0 && step < 16) parts.push(Buffer.of((step << 4) | type));
    else parts.push(Buffer.of(type), zigzag(BigInt(id)));
    if (value.kind !== "boolean") putValue(parts, value);
    last = id;
  }
  parts.push(Buffer.of(0));
}

function typeOf(value: Thrift): number {
  if (value.kind === "boolean") return value.value ? types.true : types.false;
  return value.kind === "struct" ? types.struct : value.type;
}

function putValue(parts: Buffer[], value: Thrift): void {
  switch (value.kind) {
    case "boolean":
      parts.push(Buffer.of(typeOf(value)));
      break;
    case "whole":
      parts.push(zigzag(value.value));
      break;
    case "bytes":
      if (value.type === types.binary) parts.push(varint(BigInt(value.value.length)));
      parts.push(value.value);
      break;
    case "list": {
      const { element, items } = value;
      if (items.length < 15) parts.push(Buffer.of((items.length << 4) | element));
      else parts.push(Buffer.of(0xf0 | element), varint(BigInt(items.length)));
      for (const item of items) putValue(parts, item);
      break;
    }
    case "struct":
    default:
      putStruct(parts, value);
  }
}

function zigzag(value: bigint): Buffer {
  return varint(value < 0n ? -value * 2n - 1n : value * 2n);
}

function varint(value: bigint): Buffer {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 127n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128);
  return Buffer.from([...bytes, Number(rest)]);
}
