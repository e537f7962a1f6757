/** How the tools that bring no source and no sink of their own read and write CSV: both as streams. */
import { createReadStream, createWriteStream } from "node:fs";
import { once } from "node:events";
import { finished } from "node:stream/promises";
import { parse } from "csv-parse";
import { stringify } from "csv-stringify";
import type { Note } from "./notes.ts";
import type { Enriched } from "./task.ts";

export const columns = ["id", "category", "confidence", "summary"] as const;

export function readNotes(path: string): AsyncIterable<Note> {
  return createReadStream(path).pipe(parse({ columns: true }));
}

/** What was written, by any tool: all cells are text. */
export function readResult(path: string): AsyncIterable<Readonly<Record<string, string>>> {
  return createReadStream(path).pipe(parse({ columns: true }));
}

export class ResultFile {
  readonly #rows = stringify({ header: true, columns: [...columns] });
  readonly #written: Promise<void>;

  constructor(path: string) {
    this.#written = finished(this.#rows.pipe(createWriteStream(path)));
  }

  async write(row: Enriched): Promise<void> {
    if (!this.#rows.write(row)) await once(this.#rows, "drain");
  }

  async close(): Promise<void> {
    this.#rows.end();
    await this.#written;
  }
}
