import { open, type FileHandle } from "node:fs/promises";
import { codeOf, messageOf } from "../errors/error-text.ts";
import { SourceError } from "../errors/source.ts";

const chunkBytes = 64 * 1024;

/** @throws {SourceError} if there is no such file, or it can't be read */
export async function openFile(owner: string, path: string): Promise<FileHandle> {
  const file = await open(path, "r").catch((cause: unknown) => {
    const code = codeOf(cause);
    const isMissing = code === "ENOENT";
    const problem = isMissing ? "there is no such file" : `the file can't be opened (${messageOf(cause)})`;
    const hint = isMissing
      ? 'check the option "filePath"; a text is relative to the working directory'
      : 'check the option "filePath", and the permissions of the file';
    throw new SourceError(owner, problem, { cause, facts: { where: path, code, hint } });
  });
  const isFolder = (await file.stat()).isDirectory();
  if (!isFolder) return file;
  await file.close();
  const hint = 'give the option "filePath" the path of a file';
  throw new SourceError(owner, "this is a folder", { facts: { where: path, code: "EISDIR", hint } });
}

/** The file in chunks; each is overwritten by the next. @throws {SourceError} if it can't be read any further */
export async function* chunksOf(
  file: FileHandle,
  owner: string,
  signal: AbortSignal,
): AsyncGenerator<Buffer, void, undefined> {
  const buffer = Buffer.allocUnsafe(chunkBytes);
  for (;;) {
    signal.throwIfAborted();
    const { bytesRead } = await file.read(buffer, 0, chunkBytes, null).catch((cause: unknown) => {
      throw new SourceError(owner, `the file can't be read any further (${messageOf(cause)})`, { cause });
    });
    if (bytesRead === 0) return;
    yield buffer.subarray(0, bytesRead);
  }
}
