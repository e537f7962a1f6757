import { closest } from "../../errors/closest.ts";
import type { ErrorFacts } from "../../errors/facts.ts";

/** Makes the error of a connection string: the problem, without a value of it. */
export type Invalid = (problem: string, facts: ErrorFacts) => Error;

/** The keywords that are honoured, each with the variable that has its value where nothing else does. Both are libpq's. */
export const keywords = {
  host: "PGHOST",
  port: "PGPORT",
  dbname: "PGDATABASE",
  user: "PGUSER",
  password: "PGPASSWORD",
  sslmode: "PGSSLMODE",
  sslrootcert: "PGSSLROOTCERT",
  sslcert: "PGSSLCERT",
  sslkey: "PGSSLKEY",
  application_name: "PGAPPNAME",
  connect_timeout: "PGCONNECT_TIMEOUT",
  options: "PGOPTIONS",
  channel_binding: "PGCHANNELBINDING",
  sslnegotiation: "PGSSLNEGOTIATION",
} as const;
export type Keyword = keyof typeof keywords;

/** Each of these changes nothing that a pipeline could notice; the last are of other clients, for their own pools. */
const ignored: ReadonlySet<string> = new Set(
  (
    "client_encoding fallback_application_name gssencmode krbsrvname load_balance_hosts sslsni target_session_attrs uselibpqcompat " +
    "keepalives keepalives_idle keepalives_interval keepalives_count tcp_user_timeout " +
    "pgbouncer connection_limit pool_timeout statement_cache_size"
  ).split(" "),
);

const form = "postgresql://<user>:<password>@<host>:5432/<database>?sslmode=verify-full";

/**
 * The values of a connection string by libpq's keywords.
 *
 * @throws the error of `invalid` for what can't be read or honoured; no message holds a value
 */
export function parseConnectionString(text: string, invalid: Invalid): ReadonlyMap<Keyword, string> {
  const trimmed = text.trim();
  if (!/^postgres(?:ql)?:\/\//i.test(trimmed)) {
    const scheme = /^([a-z][a-z+:]{1,20}):\/\//i.exec(trimmed)?.[1];
    throw invalid("", { expected: form, got: scheme === undefined ? "another form" : `one of ${scheme}` });
  }
  const url = URL.parse(trimmed);
  if (url === null || url.hash !== "") {
    const hint =
      "write # as %23, / as %2F, ? as %3F, % as %25 and @ as %40 in a user's name or password; name one host";
    throw invalid("it can't be read", { expected: form, hint });
  }
  if (url.hostname.includes(",")) throw invalid("it names several hosts", { hint: "name the one that takes writes" });
  const plain = (name: string, value: string): string => {
    try {
      return decodeURIComponent(value);
    } catch {
      throw invalid(`${name} has a % that begins no code`, { where: name, hint: "write % as %25" });
    }
  };
  const found = new Map<Keyword, string>();
  const parts = { host: url.hostname, port: url.port, user: url.username, password: url.password };
  for (const [name, value] of Object.entries({ ...parts, dbname: url.pathname.slice(1) })) {
    // The keys of that object are keywords.
    if (value !== "") found.set(name as Keyword, plain(name, value));
  }
  for (const [name, value] of url.searchParams) {
    const keyword = keywordOf(name, value);
    if (keyword !== undefined && value !== "") found.set(keyword.name, keyword.value);
    else if (keyword === undefined && !ignored.has(name)) throw unknown(name, invalid);
  }
  return found;
}

/** `ssl=true` is of other drivers. */
function keywordOf(name: string, value: string): { readonly name: Keyword; readonly value: string } | undefined {
  if (name === "ssl" && /^(?:true|1)$/i.test(value)) return { name: "sslmode", value: "verify-full" };
  if (name === "ssl" && /^(?:false|0)$/i.test(value)) return { name: "sslmode", value: "disable" };
  // Names that the list has are keywords.
  return Object.hasOwn(keywords, name) ? { name: name as Keyword, value } : undefined;
}

function unknown(name: string, invalid: Invalid): Error {
  const isSchema = /^(?:schema|currentSchema|search_path)$/.test(name);
  const [nearest] = closest(name, Object.keys(keywords), 1);
  const hint = isSchema
    ? "write options=-c%20search_path%3D<schema>"
    : nearest === undefined
      ? `its parameters may be ${Object.keys(keywords).join(", ")}`
      : `did you mean "${nearest}"?`;
  const isName = /^\w{1,40}$/.test(name);
  throw invalid(isName ? `unknown parameter "${name}"` : "unknown parameter", { ...(isName && { where: name }), hint });
}
