import type { IncomingMessage } from "node:http";

/**
 * Reads a body to its end and calls `done` with it, or with undefined if it is larger than `maxBytes`. If the client goes away,
 * it never calls `done`.
 */
export function readBody(request: IncomingMessage, maxBytes: number, done: (body: Buffer | undefined) => void): void {
  const chunks: Buffer[] = [];
  let length = 0;
  request.on("data", (chunk: Buffer) => {
    length += chunk.length;
    if (length <= maxBytes) chunks.push(chunk);
    else chunks.length = 0; // the rest is read and dropped: a client that is cut off while it sends never sees the reply
  });
  request.on("end", () => {
    if (length > maxBytes) return done(undefined);
    const [first] = chunks;
    done(chunks.length === 1 && first !== undefined ? first : Buffer.concat(chunks));
  });
}
