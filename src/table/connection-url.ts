import { closest } from "../errors/closest.ts";
import type { ErrorFacts } from "../errors/facts.ts";

/** Makes the error of a connection string: the problem, without a value of it. */
export type Invalid = (problem: string, facts: ErrorFacts) => Error;

/** The connection strings of one kind of server, which have the form of a URL. */
export interface URLForm<Keyword extends string> {
  /** For messages, and for the schemes: `scheme://<user>…`. */
  readonly form: string;
  readonly scheme: RegExp;
  readonly keywords: readonly Keyword[];
  /** By the part of a URL, its keyword. */
  readonly parts: Readonly<Record<"host" | "port" | "user" | "password" | "database", Keyword>>;
  /** Parameters that change nothing that a pipeline could notice. */
  readonly ignored: ReadonlySet<string>;
  /** The meaning of a parameter that other clients know; undefined for any other. */
  readonly alias: (name: string, value: string) => readonly [name: Keyword, value: string] | undefined;
  /** The next step for a parameter that is known not to work. */
  readonly hintFor: (name: string) => string | undefined;
}

/**
 * The values of a connection string by their keywords.
 *
 * @throws the error of `invalid` for what can't be read or honoured; no message holds a value
 */
export function parseConnectionURL<Keyword extends string>(
  text: string,
  urlForm: URLForm<Keyword>,
  invalid: Invalid,
): ReadonlyMap<Keyword, string> {
  const { form, scheme, keywords, ignored, alias } = urlForm;
  const trimmed = text.trim();
  if (!scheme.test(trimmed)) {
    const other = /^([a-z][a-z+:]{1,20}):\/\//i.exec(trimmed)?.[1];
    throw invalid("", { expected: form, got: other === undefined ? "another form" : `one of ${other}` });
  }
  const url = URL.parse(trimmed);
  if (url === null || url.hash !== "") {
    const hint =
      "write # as %23, / as %2F, ? as %3F, % as %25 and @ as %40 in a user's name or password; name one host";
    throw invalid("it can't be read", { expected: form, hint });
  }
  if (url.hostname.includes(",")) throw invalid("it names several hosts", { hint: "name the one that takes writes" });
  const { hostname: host, port, username: user, password, pathname } = url;
  const found = new Map<Keyword, string>();
  const keep = (name: Keyword, value: string): void => {
    try {
      if (value !== "") found.set(name, decodeURIComponent(value));
    } catch {
      throw invalid(`${name} has a % that begins no code`, { where: name, hint: "write % as %25" });
    }
  };
  keep(urlForm.parts.host, host);
  keep(urlForm.parts.port, port);
  keep(urlForm.parts.user, user);
  keep(urlForm.parts.password, password);
  keep(urlForm.parts.database, pathname.slice(1));
  for (const [name, value] of url.searchParams) {
    const known = keywords.find((keyword) => keyword === name);
    const keyword = alias(name, value) ?? (known === undefined ? undefined : ([known, value] as const));
    if (keyword !== undefined && value !== "") found.set(...keyword);
    else if (keyword === undefined && !ignored.has(name)) throw unknown(name, urlForm, invalid);
  }
  return found;
}

function unknown<Keyword extends string>(
  name: string,
  { keywords, hintFor }: URLForm<Keyword>,
  invalid: Invalid,
): Error {
  const [nearest] = closest(name, keywords, 1);
  const near = nearest === undefined ? `its parameters may be ${keywords.join(", ")}` : `did you mean "${nearest}"?`;
  const isName = /^\w{1,40}$/.test(name);
  const facts = { ...(isName && { where: name }), hint: hintFor(name) ?? near };
  return invalid(isName ? `unknown parameter "${name}"` : "unknown parameter", facts);
}
