import { type Invalid, parseConnectionURL } from "../../table/connection-url.ts";

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

/**
 * The values of a connection string by libpq's keywords.
 *
 * @throws the error of `invalid` for what can't be read or honoured; no message holds a value
 */
export function parseConnectionString(text: string, invalid: Invalid): ReadonlyMap<Keyword, string> {
  const urlForm = {
    form: "postgresql://<user>:<password>@<host>:5432/<database>?sslmode=verify-full",
    scheme: /^postgres(?:ql)?:\/\//i,
    keywords: Object.keys(keywords) as Keyword[], // of the object above
    parts: { host: "host", port: "port", user: "user", password: "password", database: "dbname" },
    ignored,
    alias: sslAlias,
    hintFor: (name: string) =>
      /^(?:schema|currentSchema|search_path)$/.test(name) ? "write options=-c%20search_path%3D<schema>" : undefined,
  } as const;
  return parseConnectionURL<Keyword>(text, urlForm, invalid);
}

/** `ssl=true` is of other drivers. */
function sslAlias(name: string, value: string): readonly [name: Keyword, value: string] | undefined {
  if (name === "ssl" && /^(?:true|1)$/i.test(value)) return ["sslmode", "verify-full"];
  return name === "ssl" && /^(?:false|0)$/i.test(value) ? ["sslmode", "disable"] : undefined;
}
