import type { FileHandle } from "node:fs/promises";
import type { SourceError } from "../errors/source.ts";
import { damaged, notReadable } from "./faults.ts";

const headBytes = 4096;
const chunkBytes = 1024 * 1024;
/** The container of the time before .xlsx, and of workbooks with a password. */
const compound = Buffer.from([0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1, 0x1a, 0xe1]);
const encryptedPart = Buffer.from("EncryptedPackage", "utf16le");
const save = "save it as an Excel workbook (.xlsx)";

/** Makes sure that a file begins as a workbook does. @throws {SourceError} saying what it is instead */
export async function requireWorkbook(owner: string, file: FileHandle): Promise<void> {
  const buffer = Buffer.alloc(headBytes);
  const { bytesRead } = await file.read(buffer, 0, headBytes, 0);
  const head = buffer.subarray(0, bytesRead);
  if (head.toString("latin1", 0, 4) === "PK\u0003\u0004") return;
  throw await errorFor(owner, file, head);
}

async function errorFor(owner: string, file: FileHandle, head: Buffer): Promise<SourceError> {
  if (head.length === 0) return notReadable(owner, "an empty file");
  if (head.subarray(0, compound.length).equals(compound)) {
    return (await holds(file, encryptedPart))
      ? notReadable(owner, "a workbook with a password", { hint: "save it without one" })
      : notReadable(owner, "a workbook of the time before .xlsx (.xls)", { hint: save });
  }
  const text = head.toString("latin1").trimStart().toLowerCase();
  if (text.startsWith("%pdf")) return notReadable(owner, "a PDF");
  if (/^(?:\u00ef\u00bb\u00bf)?\s*<(?:!doctype html|html|table|head|meta|style)/.test(text)) {
    return notReadable(owner, "a web page (HTML), whatever its name says", { hint: save });
  }
  if (/^(?:\u00ef\u00bb\u00bf)?\s*<\?xml/.test(text)) {
    return notReadable(owner, "XML, whatever its name says", { hint: save });
  }
  if (text.startsWith("pk")) return damaged(owner, "it is an archive without a beginning");
  const isText = !head.includes(0) || head[0] === 0xff || head[0] === 0xfe;
  return isText
    ? notReadable(owner, "text, whatever its name says", { hint: `if it is CSV, read it with CSVSource; or ${save}` })
    : notReadable(owner, "a file of another kind", { hint: save });
}

/** True if the bytes stand somewhere in the file. */
async function holds(file: FileHandle, bytes: Buffer): Promise<boolean> {
  const buffer = Buffer.alloc(chunkBytes);
  for (let at = 0; ; at += chunkBytes - bytes.length) {
    const { bytesRead } = await file.read(buffer, 0, chunkBytes, at);
    if (buffer.subarray(0, bytesRead).includes(bytes)) return true;
    if (bytesRead < chunkBytes) return false;
  }
}
