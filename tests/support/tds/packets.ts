import type { Duplex } from "node:stream";
import { ByteWriter } from "./bytes.ts";

/** The types of packets (MS-TDS 2.2.3.1.1) that a client sends, and the one that a server answers with. */
export const packetTypes = {
  batch: 0x01,
  rpc: 0x03,
  response: 0x04,
  attention: 0x06,
  bulk: 0x07,
  federatedToken: 0x08,
  transaction: 0x0e,
  login: 0x10,
  prelogin: 0x12,
} as const;

/** All packets of one message. */
export interface Message {
  readonly type: number;
  /** The client gave the message up while it was sending it. */
  readonly ignored: boolean;
  readonly resetConnection: boolean;
  readonly data: Buffer;
}

const headerLength = 8;

/** Puts packets together to messages. */
export class MessageReader {
  readonly #onMessage: (message: Message) => void;
  #pending: Buffer = Buffer.alloc(0);
  #payloads: Buffer[] = [];
  #resetConnection = false;

  constructor(onMessage: (message: Message) => void) {
    this.#onMessage = onMessage;
  }

  readonly feed = (chunk: Buffer): void => {
    this.#pending = this.#pending.length === 0 ? chunk : Buffer.concat([this.#pending, chunk]);
    for (;;) {
      if (this.#pending.length < headerLength) return;
      const length = this.#pending.readUInt16BE(2);
      if (length < headerLength) throw new RangeError(`A packet says that it is ${length} bytes long`);
      if (this.#pending.length < length) return;
      const [type = 0, status = 0] = this.#pending;
      this.#payloads.push(this.#pending.subarray(headerLength, length));
      this.#pending = this.#pending.subarray(length);
      this.#resetConnection ||= (status & 0x18) !== 0;
      if ((status & 0x01) === 0) continue;
      const data = Buffer.concat(this.#payloads);
      const resetConnection = this.#resetConnection;
      this.#payloads = [];
      this.#resetConnection = false;
      this.#onMessage({ type, data, resetConnection, ignored: (status & 0x02) !== 0 });
    }
  };
}

/** One packet, or several with the last one marked as the end, of a message. */
export function packets(type: number, data: Buffer, packetSize = 4096): Buffer {
  const parts: Buffer[] = [];
  for (let at = 0; at === 0 || at < data.length; at += packetSize - headerLength) {
    const payload = data.subarray(at, at + packetSize - headerLength);
    parts.push(header(type, payload.length, at + payload.length >= data.length, parts.length), payload);
  }
  return Buffer.concat(parts);
}

/** Writes a response packet by packet, no faster than the client reads it. */
export class ResponseWriter {
  readonly tokens: ByteWriter = new ByteWriter();
  readonly #stream: Duplex;
  readonly #payloadSize: number;
  #packetNumber = 0;

  constructor(stream: Duplex, packetSize: number) {
    this.#stream = stream;
    this.#payloadSize = packetSize - headerLength;
  }

  /** Called between rows: sends full packets, and waits where the client does not read; `signal` ends the wait. */
  readonly pause = async (signal: AbortSignal): Promise<void> => {
    while (this.tokens.length > this.#payloadSize) {
      const flowing = this.#send(this.#payloadSize, false);
      if (!flowing) await drained(this.#stream, signal);
    }
  };

  /** True when `pause` has something to do. */
  get full(): boolean {
    return this.tokens.length > this.#payloadSize;
  }

  readonly end = (): void => {
    while (this.tokens.length > this.#payloadSize) this.#send(this.#payloadSize, false);
    this.#send(this.tokens.length, true);
  };

  #send(length: number, last: boolean): boolean {
    const payload = this.tokens.take(length);
    if (this.#stream.destroyed) return true;
    return this.#stream.write(
      Buffer.concat([header(packetTypes.response, length, last, this.#packetNumber++), payload]),
    );
  }
}

function header(type: number, length: number, last: boolean, number: number): Buffer {
  const bytes = Buffer.alloc(headerLength);
  bytes.set([type, last ? 1 : 0]);
  bytes.writeUInt16BE(length + headerLength, 2);
  bytes.writeUInt16BE(51, 4); // the session's number at the server
  bytes[6] = (number + 1) & 0xff;
  return bytes;
}

function drained(stream: Duplex, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted || stream.destroyed) {
      resolve();
      return;
    }
    const done = () => {
      for (const event of ["drain", "close"]) stream.off(event, done);
      signal.removeEventListener("abort", done);
      resolve();
    };
    for (const event of ["drain", "close"]) stream.on(event, done);
    signal.addEventListener("abort", done);
  });
}
