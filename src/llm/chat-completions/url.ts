import { OptionError } from "../../errors/option.ts";

export interface ServiceURLRules {
  /** Whose option it is, for the message. */
  readonly owner: string;
  readonly option: string;
  /** Plain http to any host, not only to this machine. */
  readonly allowHTTP: boolean;
  /** What to do about plain http, where something can be done. */
  readonly remedy?: string | undefined;
}

/**
 * The address of a service, without a slash at its end. Keys and rows go there, so plain http is for this machine only.
 *
 * @throws {OptionError} for an address that is none, or not safe; the message has its origin at most
 */
export function serviceURL(text: string, { owner, option, allowHTTP, remedy = "" }: ServiceURLRules): ServiceURL {
  const url = URL.parse(text);
  if (url === null) throw new OptionError(owner, option, "expected an https:// address, got no address");
  const isLoopback = ["localhost", "127.0.0.1", "[::1]"].includes(url.hostname);
  const isAllowed = url.protocol === "https:" || (url.protocol === "http:" && (isLoopback || allowHTTP));
  if (!isAllowed) {
    const reason = "plain http only to this machine, the key would travel in the clear";
    throw new OptionError(
      owner,
      option,
      `expected an https:// address (${reason}), got ${url.protocol}//${url.host}${remedy}`,
    );
  }
  if (url.username !== "" || url.password !== "") {
    throw new OptionError(owner, option, "expected an address without a user name or a password");
  }
  if (/\/chat\/completions\/*$|\/deployments\//.test(url.pathname)) {
    throw new OptionError(
      owner,
      option,
      `expected the address of the service alone, got one with the path of a call (…${url.pathname.slice(-40)})`,
    );
  }
  return { origin: url.origin, path: url.pathname.replace(/\/+$/, "") };
}

export interface ServiceURL {
  readonly origin: string;
  /** Blank, or begins with a slash and ends without one. */
  readonly path: string;
}
