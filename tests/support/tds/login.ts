import { ByteReader } from "./bytes.ts";

/** What a client says about itself as it logs in. */
export interface Login {
  readonly user: string;
  readonly password: string;
  readonly applicationName: string;
  readonly hostName: string;
  readonly serverName: string;
  readonly database: string;
  readonly packetSize: number;
  readonly readOnlyIntent: boolean;
  /** How a token comes: with the login, or later, once the server has said where to fetch it. */
  readonly federated: "none" | "token" | "library";
  readonly accessToken?: string;
  /** Feature numbers that the client asked for and that are acknowledged. */
  readonly features: readonly number[];
}

export const federatedFeature = 0x02;
export const utf8Feature = 0x0a;

/** True if the client of this PRELOGIN message wants encryption. */
export function wantsEncryption(data: Buffer): boolean {
  for (let at = 0; data[at] !== 0xff && at + 5 <= data.length; at += 5) {
    if (data[at] === 1) return [1, 3].includes(data[data.readUInt16BE(at + 1)] ?? 2);
  }
  return false;
}

/** The answer to PRELOGIN: version, encryption, and that federated authentication is not the only kind. */
export function preloginAnswer(version: readonly [number, number, number], encrypted: boolean): Buffer {
  const versionBytes = Buffer.from([version[0], version[1], version[2] >> 8, version[2] & 0xff, 0, 0]);
  const options: readonly (readonly [number, Buffer])[] = [
    [0, versionBytes],
    [1, Buffer.from([encrypted ? 1 : 2])],
    [2, Buffer.from([0])],
    [4, Buffer.from([0])],
    [6, Buffer.from([1])],
  ];
  const head = Buffer.alloc(options.length * 5 + 1, 0xff);
  let offset = head.length;
  for (const [index, [id, value]] of options.entries()) {
    head[index * 5] = id;
    head.writeUInt16BE(offset, index * 5 + 1);
    head.writeUInt16BE(value.length, index * 5 + 3);
    offset += value.length;
  }
  return Buffer.concat([head, ...options.map(([, value]) => value)]);
}

/** Reads LOGIN7 (MS-TDS 2.2.6.4). */
export function readLogin(data: Buffer): Login {
  const at = (position: number): [offset: number, length: number] => [
    data.readUInt16LE(position),
    data.readUInt16LE(position + 2),
  ];
  const text = (position: number): string => {
    const [offset, length] = at(position);
    return data.toString("utf16le", offset, offset + length * 2);
  };
  const [passwordAt, passwordLength] = at(44);
  const scrambled = data.subarray(passwordAt, passwordAt + passwordLength * 2);
  const password = Buffer.from(scrambled.map((byte) => rotate(byte ^ 0xa5))).toString("utf16le");
  const extended = ((data[27] ?? 0) & 0x10) !== 0;
  const features = extended ? readFeatures(data, data.readUInt32LE(at(56)[0])) : {};
  return {
    user: text(40),
    password,
    hostName: text(36),
    applicationName: text(48),
    serverName: text(52),
    database: text(68),
    packetSize: data.readUInt32LE(8),
    readOnlyIntent: ((data[26] ?? 0) & 0x20) !== 0,
    federated: features.federated ?? "none",
    features: features.ids ?? [],
    ...(features.accessToken === undefined ? {} : { accessToken: features.accessToken }),
  };
}

const rotate = (byte: number): number => ((byte << 4) | (byte >> 4)) & 0xff;

function readFeatures(
  data: Buffer,
  start: number,
): { ids?: readonly number[]; federated?: "token" | "library"; accessToken?: string } {
  const input = new ByteReader(data, start);
  const ids: number[] = [];
  let federated: "token" | "library" | undefined;
  let accessToken: string | undefined;
  for (let id = input.u8(); id !== 0xff; id = input.u8()) {
    const value = input.bytes(input.u32());
    if (id === federatedFeature) {
      const library = (value[0] ?? 0) >> 1;
      federated = library === 1 ? "token" : "library";
      if (federated === "token") accessToken = value.toString("utf16le", 5, 5 + value.readUInt32LE(1));
    }
    if (id === federatedFeature || id === utf8Feature) ids.push(id);
  }
  return {
    ids,
    ...(federated === undefined ? {} : { federated }),
    ...(accessToken === undefined ? {} : { accessToken }),
  };
}

/** Reads the message with which a client sends the token that it fetched. */
export function readFederatedToken(data: Buffer): string {
  const input = new ByteReader(data);
  input.u32();
  return input.ucs2(input.u32() / 2);
}

/** For messages that start with ALL_HEADERS: where the rest begins. */
export function afterHeaders(data: Buffer): ByteReader {
  return new ByteReader(data, data.readUInt32LE(0));
}
