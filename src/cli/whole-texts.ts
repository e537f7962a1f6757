import { fstatSync, ftruncateSync, writeSync } from "node:fs";
import type { Output } from "./terminal.ts";

/**
 * Stdout, where it is a file: a text is in it whole, or on a full disk not at all. Node's own stream leaves what fitted, and half a line
 * in a file of events. Other outputs are given as they are.
 */
export function wholeTexts(output: Output): Output {
  const { fd } = output;
  if (fd === undefined || !isFile(fd)) return output;
  return {
    write: (text, done) => {
      try {
        writeWhole(fd, text);
      } catch (error) {
        if (!(error instanceof Error)) throw error;
        output.emit?.("error", error);
        done?.(error);
        return;
      }
      done?.();
    },
  };
}

function isFile(fd: number): boolean {
  try {
    return fstatSync(fd).isFile();
  } catch {
    return false; // it was closed
  }
}

function writeWhole(fd: number, text: string): void {
  const bytes = Buffer.from(text);
  let written = 0;
  try {
    while (written < bytes.length) written += writeSync(fd, bytes, written);
  } catch (error) {
    if (written > 0) ftruncateSync(fd, fstatSync(fd).size - written);
    throw error;
  }
}
