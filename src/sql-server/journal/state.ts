import { JournalError } from "../../errors/journal.ts";
import type { Ask, JournalDialect } from "../../journal-tables/database.ts";
import { tables } from "../../journal-tables/tables.ts";
import { driverFacts } from "../error-meaning.ts";

const names = Object.values(tables).map(({ name }) => name);
const permissions = ["SELECT", "INSERT", "UPDATE", "DELETE"] as const;

function literals(texts: readonly string[]): string {
  return texts.map((text) => `N'${text}'`).join(", ");
}

/** Counts, for a login does not see a table on which it may do nothing. Asks for OPENJSON, too: a database of an old compatibility level knows no such thing. */
const query = `/* llm-etl:journal */ SELECT d.delayed_durability, CAST(DATABASEPROPERTYEX(DB_NAME(), 'Updateability') AS nvarchar(60)) AS updateability,
  (SELECT CASE WHEN SUM(HAS_PERMS_BY_NAME(QUOTENAME(s.name) + N'.' + QUOTENAME(t.name), N'OBJECT', p.name)) = ${names.length * permissions.length} THEN 1 ELSE 0 END
    FROM sys.tables AS t INNER JOIN sys.schemas AS s ON s.schema_id = t.schema_id
    CROSS JOIN (VALUES ${permissions.map((each) => `(${literals([each])})`).join(", ")}) AS p (name)
    WHERE s.name = @p1 AND t.name IN (${literals(names)})) AS may_write,
  (SELECT COUNT(*) FROM OPENJSON(N'[]')) AS elements
FROM sys.databases AS d WHERE d.name = DB_NAME();`;

const forced = 2;

/** @throws {JournalError} for a database in which commits are not durable, or that knows no OPENJSON */
export async function stateOf(ask: Ask, schema: string, identity: string): ReturnType<JournalDialect["state"]> {
  const [line] = await askFor(ask, schema, identity);
  if (Number(line?.["delayed_durability"]) === forced) {
    const hint = "ALTER DATABASE CURRENT SET DELAYED_DURABILITY = ALLOWED";
    const words = "would lose commits with its server: delayed durability is forced in its database";
    throw new JournalError(identity, words, { facts: { problem: "delayed-durability", hint } });
  }
  const isReadOnly = line?.["updateability"] === "READ_ONLY";
  return {
    mayWrite: Number(line?.["may_write"]) === 1,
    readOnly: isReadOnly ? "has the database read-only" : undefined,
  };
}

async function askFor(ask: Ask, schema: string, identity: string): ReturnType<Ask> {
  try {
    return await ask(query, [schema]);
  } catch (error) {
    if (!driverFacts(error).numbers.includes(208)) throw error;
    const hint = "ALTER DATABASE CURRENT SET COMPATIBILITY_LEVEL = 130, on SQL Server 2016 SP1 or newer";
    const words = "needs OPENJSON, which its database does not know";
    throw new JournalError(identity, words, { facts: { problem: "compatibility", hint }, cause: error });
  }
}
