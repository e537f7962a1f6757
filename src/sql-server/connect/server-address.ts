import { isIPv6 } from "node:net";
import type { Invalid } from "./connection-string.ts";

/** A server listens at a port, or at the one that the SQL Server Browser gives for an instance's name. */
export interface ServerAddress {
  readonly host: string;
  /** Undefined where the instance's name leads to it. */
  readonly port: number | undefined;
  readonly instanceName: string | undefined;
}

export const defaultPort = 1433;

const spelling = "tcp:<host>,<port>, <host>,<port>, <host>\\<instance> or <host>";

/**
 * Reads the value of `Server`: `tcp:host,1433`, `host\instance`, `.`, `(local)`, `::1`. A port beside an instance's name is
 * the one that counts, as in Microsoft's drivers.
 *
 * @throws the error of `invalid` for an address that is not one of TCP; the message has nothing of it
 */
export function parseServerAddress(text: string, invalid: Invalid): ServerAddress {
  const [, protocol = "", address = ""] = /^\s*(?:(tcp|np|lpc|admin|via)\s*:)?(.*)$/is.exec(text) ?? [];
  if (protocol.toLowerCase() === "admin")
    throw invalid("the administrator's connection is not for data", { hint: "take out admin:" });
  if (!["", "tcp"].includes(protocol.toLowerCase()) || address.trimStart().startsWith("\\\\")) {
    throw invalid("only TCP is spoken, no named pipes and no shared memory", { hint: `write ${spelling}` });
  }
  if (/^\s*\(localdb\)/i.test(address)) {
    throw invalid("LocalDB listens at no port", {
      hint: "use a server that does (SQL Server Express, a container)",
    });
  }
  const [hostAndInstance = "", port, ...more] = address.split(",");
  const [hostText = "", instance, ...furtherNames] = hostAndInstance.split("\\");
  if (more.length > 0 || furtherNames.length > 0) throw invalid("", { expected: spelling });
  const host = readHost(hostText.trim(), invalid);
  if (port !== undefined) return { host, port: readPort(port.trim(), invalid), instanceName: undefined };
  if (instance === undefined || instance.trim().toUpperCase() === "MSSQLSERVER") {
    return { host, port: defaultPort, instanceName: undefined }; // the name of an instance that has none
  }
  if (!/^[\p{L}_#][\p{L}\p{N}_#$]{0,15}$/u.test(instance.trim())) {
    throw invalid("", { expected: "an instance's name after \\" });
  }
  return { host, port: undefined, instanceName: instance.trim() };
}

function readHost(host: string, invalid: Invalid): string {
  if (host === "." || /^\((local|\.)\)$/i.test(host)) return "localhost";
  const unbracketed = /^\[(.*)\]$/.exec(host)?.[1] ?? host;
  if (isIPv6(unbracketed)) return unbracketed;
  if (/^[^:]+:\d+$/.test(host))
    throw invalid("a port stands behind a comma, not a colon", { hint: `write ${spelling}` });
  if (/^[\p{L}\p{N}_.-]+$/u.test(host)) return host;
  throw invalid("", { expected: spelling, got: host === "" ? "no host" : "a text that is no host's name" });
}

function readPort(text: string, invalid: Invalid): number {
  const port = Number(text);
  if (/^\d{1,5}$/.test(text) && port >= 1 && port <= 65_535) return port;
  throw invalid("", { expected: "a port from 1 to 65535 after the comma" });
}
