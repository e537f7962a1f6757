import type { ClientBase } from "pg";
import type { ServerClock } from "../../table/column-changes.ts";
import { parseNamedQuery, type Query } from "../../table/query-statement.ts";
import type { Fail } from "../connect/connection.ts";

// A quote or a comment that is never closed runs to the end of the text, and is left for the server to report.
const pattern = new RegExp(
  [
    String.raw`(?<blank>\s+|--[^\r\n]*)`,
    String.raw`(?<comment>/\*)`,
    String.raw`(?<quoted>[eE]'(?:[^'\\]|\\[^]|'')*'?|'(?:[^']|'')*'?|"(?:[^"]|"")*"?|\$(?<tag>[\p{L}_]\w*)?\$[^]*?(?:\$\k<tag>\$|$))`,
    String.raw`(?<word>[\p{L}_][\p{L}\p{M}\p{N}_$]*)`,
    String.raw`(?<variable>(?<![<^@?])@[\p{L}_][\p{L}\p{M}\p{N}_]*|\$\d+)`,
    String.raw`(?<number>\d[\p{L}\p{N}_.]*)`,
    String.raw`(?<end>;)`,
    String.raw`[^]`,
  ].join("|"),
  "uy",
);

/**
 * The one query that a text is.
 *
 * @param where the text's name in messages: `the sql`
 * @throws as {@link parseNamedQuery}
 */
export function parseQuery(sql: string, where: string, fail: Fail): Query {
  return parseNamedQuery({ sql, where, fail }, { pattern });
}

/** The server's clock, and the offsets of the time zone that it writes a time without one in, of today and yesterday: `-08:00`. */
const clockQuery = `SELECT extract(epoch FROM clock_timestamp()) * 1000, to_char(now(), 'TZH:TZM'), to_char(now() - interval '1 day', 'TZH:TZM')`;

export async function clockOf(client: ClientBase): Promise<ServerClock> {
  const { rows } = await client.query<string[]>({ text: clockQuery, rowMode: "array" });
  const [now, ...zones] = rows[0] ?? [];
  return { nowMs: Number(now), zones };
}
