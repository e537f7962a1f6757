import { createReadStream, createWriteStream } from "node:fs";
import { open, rm } from "node:fs/promises";
import type { IncomingMessage } from "node:http";
import { pipeline } from "node:stream/promises";
import { formPartsOf } from "./form-parts.ts";
import { nowSeconds, type StoredFile, type StoredFiles } from "./stored-files.ts";

/** An upload that was read; or the reason for its rejection. */
export type Upload =
  | { readonly kind: "file"; readonly file: StoredFile }
  | { readonly kind: "wrong"; readonly message: string; readonly param: string | null }
  | { readonly kind: "too-large" };

/** The bytes of a form besides those of its file. */
const formBytes = 64 * 1024;

/** Reads the form of an upload into the files, which do not have it yet. Its bytes go to the disk, and not through the memory as a whole. */
export async function readUpload(request: IncomingMessage, files: StoredFiles, maxBytes: number): Promise<Upload> {
  const { path } = await files.place();
  try {
    if (!(await receive(request, path, maxBytes + formBytes))) return { kind: "too-large" };
    return await takeFile(path, request.headers["content-type"], files, maxBytes);
  } finally {
    await rm(path, { force: true });
  }
}

/** Writes a body to the disk. False for one that is too large: the rest of it is read, for its client would not see a reply before its end. */
async function receive(request: IncomingMessage, path: string, maxBytes: number): Promise<boolean> {
  const handle = await open(path, "wx", 0o600);
  try {
    let length = 0;
    const chunks: AsyncIterable<Buffer> = request;
    for await (const chunk of chunks) {
      length += chunk.length;
      if (length <= maxBytes) await handle.appendFile(chunk);
    }
    return length <= maxBytes;
  } finally {
    await handle.close();
  }
}

async function takeFile(
  formPath: string,
  contentType: string | undefined,
  files: StoredFiles,
  maxBytes: number,
): Promise<Upload> {
  const handle = await open(formPath, "r");
  try {
    const parts = await formPartsOf(handle, contentType);
    if (parts === undefined) return wrong("The body is not a form with files (multipart/form-data).", null);
    const file = parts.find(({ name, fileName }) => name === "file" && fileName !== undefined);
    if (file === undefined) return wrong("The form has no file.", "file");
    const purpose = parts.find(({ name }) => name === "purpose");
    const isForBatches =
      purpose?.bytes === 5 && (await handle.read(Buffer.alloc(5), 0, 5, purpose.start)).buffer.equals(batch);
    if (!isForBatches) return wrong("The purpose has to be 'batch'.", "purpose");
    if (file.bytes > maxBytes) return { kind: "too-large" };
    const { id, path } = await files.place();
    const end = file.start + file.bytes - 1;
    const content = file.bytes === 0 ? [] : createReadStream(formPath, { start: file.start, end });
    await pipeline(content, createWriteStream(path, { flags: "wx", mode: 0o600 }));
    const { bytes, fileName: name = "" } = file;
    return { kind: "file", file: { id, path, name, purpose: "batch", bytes, createdAt: nowSeconds() } };
  } finally {
    await handle.close();
  }
}

const batch = Buffer.from("batch");

function wrong(message: string, param: string | null): Upload {
  return { kind: "wrong", message, param };
}
