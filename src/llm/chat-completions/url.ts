import { OptionError } from "../../errors/option.ts";

export interface ServiceURLRules {
  /** The class that has the option, for the message. */
  readonly owner: string;
  readonly option: string;
  /** Allows plain http to any host; otherwise it is for this machine only. */
  readonly allowHTTP: boolean;
  /** The next step of a user whose address has plain http, if there is one. */
  readonly hint?: string | undefined;
}

/**
 * Parses the address of a service. Keys and rows go there, so plain http is for this machine only.
 *
 * @throws {OptionError} for text that is not an address, or not a safe one; the message holds its origin at most
 */
export function serviceURL(text: string, { owner, option, allowHTTP, hint }: ServiceURLRules): ServiceURL {
  const url = URL.parse(text);
  if (url === null) {
    throw new OptionError(owner, option, "", { expected: "an https:// address", got: "no address" });
  }
  const isAllowed = url.protocol === "https:" || (url.protocol === "http:" && (isLoopback(url) || allowHTTP));
  if (!isAllowed) {
    throw new OptionError(owner, option, "over plain http the key would travel in the clear to another machine", {
      expected: "an https:// address",
      got: `${url.protocol}//${url.host}`,
      hint,
    });
  }
  if (url.username !== "" || url.password !== "") {
    throw new OptionError(owner, option, "", { expected: "an address without a user name or a password" });
  }
  if (/\/chat\/completions\/*$|\/deployments\//.test(url.pathname)) {
    throw new OptionError(owner, option, "", {
      expected: "the address of the service alone",
      got: `one with the path of a call (…${url.pathname.slice(-40)})`,
    });
  }
  return { origin: url.origin, path: url.pathname.replace(/\/+$/, "") };
}

export function isLoopback({ hostname }: URL): boolean {
  return ["localhost", "127.0.0.1", "[::1]"].includes(hostname);
}

export interface ServiceURL {
  readonly origin: string;
  /** Empty, or it begins with a slash and ends without one. */
  readonly path: string;
}
