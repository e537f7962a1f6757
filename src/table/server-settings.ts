import { readFileSync } from "node:fs";
import { isIP } from "node:net";
import { codeOf } from "../errors/error-text.ts";
import type { Invalid } from "./connection-url.ts";

/**
 * The bytes of a file that a setting names, such as a certificate; undefined where it names none.
 *
 * @throws the error of `invalid` for one that can't be read
 */
export function readSettingFile(path: string | undefined, name: string, invalid: Invalid): Buffer | undefined {
  if (path === undefined) return undefined;
  try {
    return readFileSync(path);
  } catch (error) {
    throw invalid(`the file of ${name} can't be read (${codeOf(error) ?? "no reason given"})`, { where: name });
  }
}

/** The server's connections go through no network: a socket's path, `localhost`, an address of this machine alone. */
export function isOnThisMachine(host: string): boolean {
  return (
    host.startsWith("/") || host === "localhost" || host === "::1" || (isIP(host) === 4 && host.startsWith("127."))
  );
}
