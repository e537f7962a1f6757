import { isIPv6 } from "node:net";
import type { Refuse } from "./connection-string.ts";

/** Where a server listens: at a port, or at the one that the SQL Server Browser gives for an instance's name. */
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
 * @throws what `refuse` makes, for an address that is not one of TCP; the message has nothing of it
 */
export function parseServerAddress(text: string, refuse: Refuse): ServerAddress {
  const [, protocol = "", address = ""] = /^\s*(?:(tcp|np|lpc|admin|via)\s*:)?(.*)$/is.exec(text) ?? [];
  if (protocol.toLowerCase() === "admin")
    throw refuse("the administrator's connection is not for data; take out admin:");
  if (!["", "tcp"].includes(protocol.toLowerCase()) || address.trimStart().startsWith("\\\\")) {
    throw refuse(`only TCP is spoken, no named pipes and no shared memory; write ${spelling}`);
  }
  if (/^\s*\(localdb\)/i.test(address)) {
    throw refuse("LocalDB listens at no port; use a server that does (SQL Server Express, a container)");
  }
  const [hostAndInstance = "", port, ...more] = address.split(",");
  const [hostText = "", instance, ...furtherNames] = hostAndInstance.split("\\");
  if (more.length > 0 || furtherNames.length > 0) throw refuse(`expected ${spelling}`);
  const host = readHost(hostText.trim(), refuse);
  if (port !== undefined) return { host, port: readPort(port.trim(), refuse), instanceName: undefined };
  if (instance === undefined || instance.trim().toUpperCase() === "MSSQLSERVER") {
    return { host, port: defaultPort, instanceName: undefined }; // the name of an instance that has none
  }
  if (!/^[\p{L}_#][\p{L}\p{N}_#$]{0,15}$/u.test(instance.trim())) throw refuse("expected an instance's name after \\");
  return { host, port: undefined, instanceName: instance.trim() };
}

function readHost(host: string, refuse: Refuse): string {
  if (host === "." || /^\((local|\.)\)$/i.test(host)) return "localhost";
  const unbracketed = /^\[(.*)\]$/.exec(host)?.[1] ?? host;
  if (isIPv6(unbracketed)) return unbracketed;
  if (/^[^:]+:\d+$/.test(host)) throw refuse(`a port stands behind a comma, not a colon; write ${spelling}`);
  if (/^[\p{L}\p{N}_.-]+$/u.test(host)) return host;
  throw refuse(host === "" ? `expected ${spelling}, got no host` : `expected ${spelling}, got what is no host's name`);
}

function readPort(text: string, refuse: Refuse): number {
  const port = Number(text);
  if (/^\d{1,5}$/.test(text) && port >= 1 && port <= 65_535) return port;
  throw refuse("expected a port from 1 to 65535 after the comma");
}
