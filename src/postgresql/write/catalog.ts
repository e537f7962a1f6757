import type { ClientBase } from "pg";
import type { MissingTable, TableFacts, TableRequest, UniqueKey } from "../../table/dialect.ts";
import { foldName, names } from "../names.ts";
import { columnFacts, type CatalogColumn, type PostgreSQLColumn } from "./column-type.ts";

/** A domain is followed to its type; what it adds counts as the column's own. */
const catalogQuery = `/* llm-etl:target */
WITH RECURSIVE t AS (
  SELECT c.oid, c.relkind, c.relname, n.nspname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.oid = to_regclass($1)
), typed AS (
  SELECT a.attnum, a.atttypid AS type, a.atttypmod AS modifier, a.attnotnull AS required, a.atthasdef AS filled, ARRAY[]::oid[] AS domains
  FROM pg_attribute a JOIN t ON a.attrelid = t.oid WHERE a.attnum > 0 AND NOT a.attisdropped
  UNION ALL
  SELECT d.attnum, y.typbasetype, CASE WHEN d.modifier = -1 THEN y.typtypmod ELSE d.modifier END, d.required OR y.typnotnull,
    d.filled OR y.typdefault IS NOT NULL, d.domains || y.oid
  FROM typed d JOIN pg_type y ON y.oid = d.type WHERE y.typtype = 'd'
), columns AS (
  SELECT json_agg(json_build_object(
    'name', a.attname, 'declaration', format_type(a.atttypid, a.atttypmod), 'type', y.typname, 'modifier', d.modifier, 'element', e.typname,
    'labels', ARRAY(SELECT l.enumlabel FROM pg_enum l WHERE l.enumtypid IN (y.oid, e.oid) ORDER BY l.enumsortorder),
    'isNotNull', d.required, 'hasDefault', d.filled, 'identity', a.attidentity, 'isGenerated', a.attgenerated <> '',
    'collation', quote_ident(cn.nspname) || '.' || quote_ident(co.collname), 'isDeterministic', COALESCE(co.collisdeterministic, true),
    'mayBeChanged', EXISTS (SELECT FROM pg_trigger g WHERE g.tgrelid = t.oid AND NOT g.tgisinternal AND g.tgtype & 7 = 7), -- BEFORE INSERT, each row
    'equality', (SELECT quote_ident(n.nspname) FROM pg_operator o JOIN pg_namespace n ON n.oid = o.oprnamespace
      WHERE o.oprname = '=' AND o.oprleft = y.oid AND o.oprright = y.oid),
    'maySelect', has_column_privilege(t.oid, a.attnum, 'SELECT'), 'mayUpdate', has_column_privilege(t.oid, a.attnum, 'UPDATE'),
    'checks', ARRAY(SELECT pg_get_constraintdef(k.oid) FROM pg_constraint k
      WHERE k.contype = 'c' AND (k.contypid = ANY (d.domains) OR k.conrelid = t.oid AND k.conkey = ARRAY[a.attnum]))
  ) ORDER BY a.attnum) AS value
  FROM t JOIN pg_attribute a ON a.attrelid = t.oid JOIN typed d ON d.attnum = a.attnum JOIN pg_type y ON y.oid = d.type
  LEFT JOIN pg_type e ON e.oid = y.typelem AND y.typcategory = 'A'
  LEFT JOIN pg_collation co ON co.oid = a.attcollation LEFT JOIN pg_namespace cn ON cn.oid = co.collnamespace
  WHERE y.typtype <> 'd'
), keys AS (
  SELECT json_agg(json_strip_nulls(json_build_object('index', c.relname, 'isPrimary', i.indisprimary,
    'unusable', CASE WHEN NOT i.indisvalid THEN 'not valid' WHEN i.indpred IS NOT NULL THEN 'partial' WHEN NOT i.indimmediate THEN 'deferrable'
      WHEN i.indisexclusion THEN 'WITHOUT OVERLAPS' WHEN EXISTS (SELECT FROM unnest(i.indkey::int2[], i.indcollation::oid[]) p (number, collated)
        JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = p.number JOIN pg_collation co ON co.oid = p.collated
        WHERE co.oid <> a.attcollation AND NOT co.collisdeterministic) THEN 'of a collation that holds more texts equal' END,
    'columns', (SELECT json_agg(json_build_object('name', a.attname) ORDER BY p.place)
      FROM unnest(i.indkey::int2[]) WITH ORDINALITY p (number, place) JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = p.number
      WHERE p.place <= i.indnkeyatts))) ORDER BY i.indexrelid) AS value
  FROM t JOIN pg_index i ON i.indrelid = t.oid JOIN pg_class c ON c.oid = i.indexrelid WHERE i.indisunique AND i.indexprs IS NULL
), others AS (
  SELECT json_agg(o.name ORDER BY o.name) AS value FROM (SELECT n.nspname || '.' || c.relname AS name
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'p') AND NOT EXISTS (SELECT FROM t)
    AND n.nspname <> 'information_schema' AND n.nspname NOT LIKE 'pg\\_%' LIMIT 1000) o
)
SELECT json_build_object('schema', t.nspname, 'name', t.relname, 'kind', t.relkind, 'current', current_schema(),
  'takesInsert', pg_relation_is_updatable(t.oid, true) & 8 <> 0, 'mayInsert', has_any_column_privilege(t.oid, 'INSERT'),
  'columns', (SELECT value FROM columns), 'keys', (SELECT value FROM keys), 'others', (SELECT value FROM others)) AS found
FROM (SELECT) one LEFT JOIN t ON true`;

interface Catalog {
  /** Null where there is no such table. */
  readonly schema: string | null;
  readonly name: string;
  /** As in pg_class: r is a table, p a partitioned one, f a foreign one, v a view. */
  readonly kind: string;
  /** The first schema of the search path. */
  readonly current: string | null;
  readonly takesInsert: boolean;
  readonly mayInsert: boolean;
  readonly columns: readonly CatalogColumn[] | null;
  readonly keys: readonly UniqueKey[] | null;
  readonly others: readonly string[] | null;
}

const kinds: Readonly<Record<string, string>> = { v: "a view", m: "a materialized view", S: "a sequence" };

/** Asks the database for all that there is to know of the table, in one round trip. */
export async function describeTable(
  client: ClientBase,
  place: string,
  request: TableRequest,
): Promise<TableFacts<PostgreSQLColumn, string> | MissingTable> {
  const { rows } = await client.query<{ found: string }>(catalogQuery, [names.quoteTable(request.table)]);
  const found = JSON.parse(rows[0]?.found ?? "") as Catalog; // the query above makes it
  if (found.schema === null) {
    const { schema = found.current ?? "public", table } = request.table;
    const missing = { place, wanted: `${schema}.${table}`, note: ", or the user may not see it" };
    return { ...missing, otherTables: found.others ?? [], ifNone: "the user sees none there" };
  }
  const { schema, name, kind } = found;
  const isTable =
    ["r", "p", "f"].includes(kind) || (kind === "v" && request.strategy === "insert" && found.takesInsert);
  return {
    place,
    name: `${schema}.${name}`,
    quoted: names.quoteTable({ schema, table: name }),
    problem: isTable
      ? undefined
      : `is ${kinds[kind] ?? "no table"}, which takes no "${request.strategy}": name the table behind it`,
    columns: (found.columns ?? []).map((column) => columnFacts(column, request)),
    uniqueKeys: found.keys ?? [],
    foldName,
    mayInsert: found.mayInsert,
  };
}
