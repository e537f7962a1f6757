import { closeSync, openSync, readSync } from "node:fs";

const windowBytes = 64 * 1024;
const lineFeed = 0x0a;

/** The place behind the last line that ends before `place`; 0 if there is none. */
export function endOfLine(path: string, place: number): number {
  const handle = openSync(path, "r");
  try {
    const window = Buffer.allocUnsafe(windowBytes);
    for (let end = place; end > 0; end -= windowBytes) {
      const start = Math.max(0, end - windowBytes);
      const length = readSync(handle, window, 0, end - start, start);
      const found = window.subarray(0, length).lastIndexOf(lineFeed);
      if (found !== -1) return start + found + 1;
    }
    return 0;
  } finally {
    closeSync(handle);
  }
}
