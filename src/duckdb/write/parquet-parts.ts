import { readStruct, type Struct, type Thrift, writeStruct } from "./thrift.ts";

// https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift
const ofFile = { rowCount: 3, rowGroups: 4 } as const;
const ofGroup = { columns: 1, offset: 5, ordinal: 7 } as const;
/** Those that are left out are of indexes that stand outside of the row group; files without them are whole. */
const ofChunk = { offset: 2, facts: 3, indexes: [4, 5, 6, 7] } as const;
/** The places of data pages, index page, dictionary page and Bloom filter, which stand in the row group's part of the file. */
const placesOfChunk = [9, 10, 11, 14] as const;

export const magic: Buffer = Buffer.from("PAR1");

/** A Parquet file in its two parts. */
export interface ParquetParts {
  /** The row groups: all between the mark at the beginning and the footer. */
  readonly data: Buffer;
  readonly footer: Struct;
}

/** @throws {RangeError} for bytes that are no Parquet file */
export function partsOf(bytes: Buffer): ParquetParts {
  const end = bytes.length - 8;
  const start = end < 4 ? -1 : end - bytes.readUInt32LE(end);
  const isMarked = bytes.subarray(0, 4).equals(magic) && bytes.subarray(-4).equals(magic);
  if (!isMarked || start < 4) throw new RangeError("no Parquet file");
  const footer = readStruct(Buffer.from(bytes.subarray(start, end))); // a copy: what is kept of it must not keep the data
  return { data: bytes.subarray(4, start), footer };
}

/** The footer of a file that is put together from the row groups of others, all with the same columns. */
export class JoinedFooter {
  #first: Struct | undefined;
  readonly #groups: Thrift[] = [];
  #rowCount = 0n;

  get rowCount(): number {
    return Number(this.#rowCount);
  }

  get hasColumns(): boolean {
    return this.#first !== undefined;
  }

  /** @param at where the data of that file begins in this one */
  add(footer: Struct, at: number): void {
    this.#first ??= footer;
    this.#rowCount += wholeOf(footer, ofFile.rowCount);
    const shift = BigInt(at - magic.length);
    for (const group of listOf(footer, ofFile.rowGroups)) {
      this.#groups.push(movedGroup(structOf(group), shift, this.#groups.length));
    }
  }

  /** The footer with its length and the mark that ends a file. There is none without a first {@link add}. */
  bytes(): Buffer {
    if (this.#first === undefined) throw new RangeError("a file without columns");
    const groups = this.#first.fields.get(ofFile.rowGroups);
    if (groups?.kind !== "list") throw new RangeError("a footer without row groups");
    const footer = writeStruct(
      replaced(this.#first, {
        [ofFile.rowCount]: { kind: "whole", type: 6, value: this.#rowCount },
        [ofFile.rowGroups]: { ...groups, element: 12, items: this.#groups },
      }),
    );
    const length = Buffer.alloc(4);
    length.writeUInt32LE(footer.length);
    return Buffer.concat([footer, length, magic]);
  }
}

function movedGroup(group: Struct, shift: bigint, ordinal: number): Struct {
  const columns = group.fields.get(ofGroup.columns);
  if (columns?.kind !== "list") throw new RangeError("a row group without columns");
  const items = columns.items.map((item) => movedChunk(structOf(item), shift));
  const number: Thrift | undefined = ordinal > 32_767 ? undefined : { kind: "whole", type: 4, value: BigInt(ordinal) };
  return replaced(group, {
    [ofGroup.columns]: { ...columns, items },
    [ofGroup.offset]: moved(group.fields.get(ofGroup.offset), shift),
    [ofGroup.ordinal]: group.fields.has(ofGroup.ordinal) ? number : undefined,
  });
}

function movedChunk(chunk: Struct, shift: bigint): Struct {
  const facts = structOf(chunk.fields.get(ofChunk.facts));
  const places = placesOfChunk.map((id) => [id, moved(facts.fields.get(id), shift)] as const);
  return replaced(chunk, {
    [ofChunk.offset]: moved(chunk.fields.get(ofChunk.offset), shift),
    [ofChunk.facts]: replaced(facts, Object.fromEntries(places)),
    ...Object.fromEntries(ofChunk.indexes.map((id) => [id, undefined])),
  });
}

/** 0 is no place: the field is not used. */
function moved(place: Thrift | undefined, shift: bigint): Thrift | undefined {
  return place?.kind === "whole" && place.value > 0n ? { ...place, value: place.value + shift } : place;
}

/** The struct with other values in some of its fields; undefined leaves a field out. One that it does not have is not added. */
function replaced({ fields }: Struct, values: Readonly<Record<number, Thrift | undefined>>): Struct {
  const all = [...fields].flatMap(([id, value]): [number, Thrift][] => {
    const other = Object.hasOwn(values, id) ? values[id] : value;
    return other === undefined ? [] : [[id, other]];
  });
  return { kind: "struct", fields: new Map(all) };
}

function structOf(value: Thrift | undefined): Struct {
  if (value?.kind !== "struct") throw new RangeError("a footer of an unknown form");
  return value;
}

function listOf({ fields }: Struct, id: number): readonly Thrift[] {
  const value = fields.get(id);
  if (value?.kind !== "list") throw new RangeError("a footer of an unknown form");
  return value.items;
}

function wholeOf({ fields }: Struct, id: number): bigint {
  const value = fields.get(id);
  if (value?.kind !== "whole") throw new RangeError("a footer of an unknown form");
  return value.value;
}
