import { createReadStream } from "node:fs";
import type { ServerResponse } from "node:http";
import { pipeline } from "node:stream/promises";
import type { SimulatorBatchFaultName } from "./request-faults.ts";
import type { StoredFile } from "./stored-files.ts";
import { endOfLine } from "./whole-lines.ts";

export interface SentFile {
  readonly file: StoredFile;
  readonly fault: SimulatorBatchFaultName | undefined;
}

/** Sends the content of a file, or what a fault leaves of it. `headers` are names and values in turn. */
export function sendFile(response: ServerResponse, { file, fault }: SentFile, headers: readonly string[]): void {
  const half = Math.floor(file.bytes / 2);
  const isTorn = fault === "tornDownload";
  const isCut = fault === "cutDownload" || fault === "shortDownload";
  const bytes = fault === "shortDownload" ? endOfLine(file.path, half) : isTorn || isCut ? half : file.bytes;
  const length = isCut ? [] : ["content-length", String(file.bytes)];
  response.writeHead(200, ["content-type", "application/octet-stream", ...length, ...headers]);
  const end = (): void => {
    if (isTorn) response.socket?.end(); // after the bytes that were written
    else response.end();
  };
  if (bytes === 0) return end();
  const content = createReadStream(file.path, { end: bytes - 1 });
  // A file that is deleted meanwhile ends the connection.
  pipeline(content, response, { end: false }).then(end, () => response.destroy());
}
