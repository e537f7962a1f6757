/** A growing buffer of little-endian values, as TDS wants them. */
export class ByteWriter {
  #buffer = Buffer.allocUnsafe(16_384);
  length = 0;

  /** What was written, and an empty writer after it. The bytes are copied: the writer's own buffer is used again. */
  readonly take = (length: number = this.length): Buffer => {
    const taken = Buffer.from(this.#buffer.subarray(0, length));
    this.#buffer.copy(this.#buffer, 0, length, this.length);
    this.length -= length;
    return taken;
  };

  u8(value: number): this {
    this.#room(1);
    this.#buffer[this.length++] = value;
    return this;
  }

  u16(value: number): this {
    this.length = this.#room(2).writeUInt16LE(value, this.length);
    return this;
  }

  i16(value: number): this {
    this.length = this.#room(2).writeInt16LE(value, this.length);
    return this;
  }

  u32(value: number): this {
    this.length = this.#room(4).writeUInt32LE(value, this.length);
    return this;
  }

  i32(value: number): this {
    this.length = this.#room(4).writeInt32LE(value, this.length);
    return this;
  }

  u64(value: bigint): this {
    this.length = this.#room(8).writeBigUInt64LE(BigInt.asUintN(64, value), this.length);
    return this;
  }

  /** An unsigned number of that many bytes, up to 16. */
  unsigned(value: bigint, size: number): this {
    for (let rest = value, index = 0; index < size; index += 1, rest >>= 8n) this.u8(Number(rest & 0xffn));
    return this;
  }

  f32(value: number): this {
    this.length = this.#room(4).writeFloatLE(value, this.length);
    return this;
  }

  f64(value: number): this {
    this.length = this.#room(8).writeDoubleLE(value, this.length);
    return this;
  }

  bytes(value: Uint8Array): this {
    this.#room(value.length).set(value, this.length);
    this.length += value.length;
    return this;
  }

  ucs2(text: string): this {
    this.length += this.#room(text.length * 2).write(text, this.length, "utf16le");
    return this;
  }

  /** Text with its length in characters before it, in 1 or 2 bytes. */
  text(text: string, lengthSize: 1 | 2): this {
    return (lengthSize === 1 ? this.u8(text.length) : this.u16(text.length)).ucs2(text);
  }

  #room(size: number): Buffer {
    if (this.length + size > this.#buffer.length) {
      const larger = Buffer.allocUnsafe(Math.max(this.#buffer.length * 2, this.length + size));
      this.#buffer.copy(larger, 0, 0, this.length);
      this.#buffer = larger;
    }
    return this.#buffer;
  }
}

/** Reads little-endian values one after the other; reading beyond the end throws a RangeError. */
export class ByteReader {
  readonly #buffer: Buffer;
  at: number;

  constructor(buffer: Buffer, at = 0) {
    this.#buffer = buffer;
    this.at = at;
  }

  get left(): number {
    return this.#buffer.length - this.at;
  }

  u8(): number {
    return this.#buffer.readUInt8(this.#move(1));
  }

  u16(): number {
    return this.#buffer.readUInt16LE(this.#move(2));
  }

  i16(): number {
    return this.#buffer.readInt16LE(this.#move(2));
  }

  u32(): number {
    return this.#buffer.readUInt32LE(this.#move(4));
  }

  i32(): number {
    return this.#buffer.readInt32LE(this.#move(4));
  }

  u64(): bigint {
    return this.#buffer.readBigUInt64LE(this.#move(8));
  }

  unsigned(size: number): bigint {
    let value = 0n;
    for (const byte of this.bytes(size).toReversed()) value = (value << 8n) | BigInt(byte);
    return value;
  }

  f32(): number {
    return this.#buffer.readFloatLE(this.#move(4));
  }

  f64(): number {
    return this.#buffer.readDoubleLE(this.#move(8));
  }

  /** A copy of the next bytes: what is kept must not keep the whole message. */
  bytes(size: number): Buffer {
    if (size > this.left) throw new RangeError(`Expected ${size} bytes, got ${this.left}`);
    const start = this.#move(size);
    return Buffer.from(this.#buffer.subarray(start, start + size));
  }

  ucs2(characters: number): string {
    const start = this.#move(characters * 2);
    return this.#buffer.toString("utf16le", start, start + characters * 2);
  }

  text(lengthSize: 1 | 2): string {
    return this.ucs2(lengthSize === 1 ? this.u8() : this.u16());
  }

  #move(size: number): number {
    const start = this.at;
    this.at += size;
    return start;
  }
}
