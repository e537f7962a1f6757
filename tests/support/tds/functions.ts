import { randomUUID } from "node:crypto";
import { widest } from "./arithmetic.ts";
import { convert } from "./convert.ts";
import type { Session } from "./database.ts";
import { dateAdd, dateDifference, formatMoment, momentOfDate } from "./date-time.ts";
import type { Compiled } from "./scope.ts";
import { type SQLType, textOf, type Value } from "./sql-type.ts";
import { dataLength, leastRowVersion } from "./table.ts";

const int: SQLType = { name: "int" };
const bigint: SQLType = { name: "bigint" };
const moment: SQLType = { name: "datetime2", scale: 7 };
const text = (length: number): SQLType => ({ name: "nvarchar", length });

function constant(type: SQLType, value: () => Value): Compiled {
  return { name: "", type, nullable: true, constant: true, evaluate: value };
}

/** A function of its arguments; NULL if any of them is. */
function strict(given: readonly Compiled[], type: SQLType, run: (...values: readonly Value[]) => Value): Compiled {
  const evaluate: Compiled["evaluate"] = (env) => {
    const values = given.map((one) => one.evaluate(env));
    return values.includes(null) ? null : run(...values);
  };
  return { name: "", type, nullable: true, evaluate };
}

/** Functions and @@ variables; undefined for a name that is not known. */
export function systemFunction(name: string, given: readonly Compiled[], session: Session): Compiled | undefined {
  const { options } = session.database;
  const [first, second] = given;
  switch (name) {
    case "@@VERSION":
      return constant(text(300), () => `Microsoft SQL Server (test server) - ${options.productVersion} (X64)`);
    case "@@TRANCOUNT":
      return constant(int, () => session.transaction?.count ?? 0);
    case "XACT_STATE":
      return constant({ name: "smallint" }, () => (session.transaction === undefined ? 0 : 1));
    case "@@ROWCOUNT":
      return constant(int, () => session.rowCount);
    case "ROWCOUNT_BIG":
      return constant(bigint, () => BigInt(session.rowCount));
    case "@@SPID":
      return constant({ name: "smallint" }, () => session.id);
    case "@@LOCK_TIMEOUT":
      return constant(int, () => Number(session.settings.get("LOCK_TIMEOUT")));
    case "@@IDENTITY":
    case "SCOPE_IDENTITY":
      return constant({ name: "numeric", precision: 38, scale: 0 }, () => session.scopeIdentity);
    case "MIN_ACTIVE_ROWVERSION":
      return constant({ name: "binary", length: 8 }, () => leastRowVersion(session.database.changes()));
    case "DB_NAME":
      return constant(text(128), () => options.name);
    case "SCHEMA_NAME":
      return constant(text(128), () => "dbo");
    case "SCHEMA_ID":
    case "INDEXPROPERTY":
      return constant(int, () => null); // any name is a schema here, and an index may be made again
    case "APPLOCK_TEST": {
      const [, resource, mode] = given;
      return (
        resource &&
        mode &&
        strict([resource, mode], { name: "smallint" }, (name, wanted) =>
          session.database.appLocks.test(textOf(name), textOf(wanted), session),
        )
      );
    }
    case "HAS_PERMS_BY_NAME":
      return constant(int, () => 1);
    case "SERVERPROPERTY":
      return first && property(first, session);
    case "DATABASEPROPERTYEX":
      return second && databaseProperty(second, session);
    case "OBJECT_ID":
      return first && strict([first], int, (path) => objectId(textOf(path), session));
    case "SYSUTCDATETIME":
    case "SYSDATETIME":
      return now({ name: "datetime2", scale: 7 });
    case "GETUTCDATE":
    case "GETDATE":
      return now({ name: "datetime" });
    case "SYSDATETIMEOFFSET":
      return now({ name: "datetimeoffset", scale: 7 });
    case "NEWID":
      return constant({ name: "uniqueidentifier" }, () => randomUUID().toUpperCase());
    default:
      return first === undefined ? undefined : valueFunction(name, first, given);
  }
}

function inMoment(value: Value | undefined, from: SQLType): string {
  return textOf(convert(value ?? null, from, moment));
}

function valueFunction(name: string, first: Compiled, given: readonly Compiled[]): Compiled | undefined {
  const [, second, third] = given;
  switch (name) {
    case "DATEDIFF_BIG":
      return (
        second &&
        third &&
        strict([first, second, third], bigint, (part, from, to) =>
          dateDifference(textOf(part), inMoment(from, second.type), inMoment(to, third.type)),
        )
      );
    case "DATEADD":
      return (
        second &&
        third &&
        strict([first, second, third], third.type, (part, count, to) =>
          dateAdd(textOf(part), Number(convert(count ?? null, second.type, int)), textOf(to), third.type),
        )
      );
    case "CHARINDEX":
      return second && strict([first, second], bigint, (part, whole) => textOf(whole).indexOf(textOf(part)) + 1); // as under a binary collation
    case "ISNULL":
      return second && coalesce([first, second], first.type);
    case "COALESCE":
      return coalesce(
        given,
        given.slice(1).reduce((type, next) => widest(type, next.type), first.type),
      );
    case "LEN":
      return strict([first], int, (value) => textOf(value).replace(/ +$/u, "").length);
    case "DATALENGTH":
      return strict([first], int, (value) => dataLength(value ?? null, first.type));
    case "UPPER":
      return strict([first], first.type, (value) => textOf(value).toUpperCase());
    case "LOWER":
      return strict([first], first.type, (value) => textOf(value).toLowerCase());
    case "LTRIM":
      return strict([first], first.type, (value) => textOf(value).replace(/^ +/u, ""));
    case "RTRIM":
      return strict([first], first.type, (value) => textOf(value).replace(/ +$/u, ""));
    case "TRIM":
      return strict([first], first.type, (value) => textOf(value).replaceAll(/^ +| +$/gu, ""));
    case "LEFT":
      return second && strict([first, second], first.type, (value, length) => textOf(value).slice(0, Number(length)));
    case "RIGHT":
      return (
        second &&
        strict([first, second], first.type, (value, length) =>
          Number(length) === 0 ? "" : textOf(value).slice(-Number(length)),
        )
      );
    case "SUBSTRING":
      return (
        second &&
        third &&
        strict([first, second, third], first.type, (value, at, length) =>
          textOf(value).slice(Number(at) - 1, Number(at) - 1 + Number(length)),
        )
      );
    case "REPLACE":
      return (
        second &&
        third &&
        strict([first, second, third], { ...first.type, length: -1 }, (value, from, to) =>
          textOf(value).replaceAll(textOf(from), textOf(to)),
        )
      );
    case "QUOTENAME":
      return strict([first], text(258), (value) => `[${textOf(value).replaceAll("]", "]]")}]`);
    case "REPLICATE":
      return (
        second &&
        strict([first, second], { ...first.type, length: -1 }, (value, times) => textOf(value).repeat(Number(times)))
      );
    case "CONCAT":
      return {
        name: "",
        type: text(-1),
        nullable: false,
        evaluate: (env) =>
          given
            .map((one) => one.evaluate(env) ?? "")
            .map(String)
            .join(""),
      };
    default:
      return undefined;
  }
}

function coalesce(given: readonly Compiled[], type: SQLType): Compiled {
  const evaluate: Compiled["evaluate"] = (env) => {
    for (const one of given) {
      const value = one.evaluate(env);
      if (value !== null) return convert(value, one.type, type);
    }
    return null;
  };
  return { name: "", type, nullable: given.every(({ nullable }) => nullable), evaluate };
}

function now(type: SQLType): Compiled {
  const value = formatMoment(momentOfDate(new Date()), type);
  return { ...constant(type, () => value), nullable: false };
}

const variantOf = (type: SQLType, value: Value): Value => (value === null ? null : { type, value });

function property(name: Compiled, session: Session): Compiled {
  const { options } = session.database;
  return strict([name], { name: "sql_variant" }, (value) => {
    const editions: Readonly<Record<number, string>> = {
      5: "SQL Azure",
      8: "SQL Azure",
      11: "SQL Azure",
      12: "SQL Azure",
    };
    switch (textOf(value).toLowerCase()) {
      case "productversion":
        return variantOf(text(128), options.productVersion);
      case "productmajorversion":
        return variantOf(text(128), options.productVersion.split(".")[0] ?? null);
      case "engineedition":
        return variantOf(int, options.engineEdition);
      case "edition":
        return variantOf(text(128), editions[options.engineEdition] ?? "Developer Edition (64-bit)");
      case "collation":
        return variantOf(text(128), options.serverCollation);
      case "servername":
        return variantOf(text(128), "test");
      default:
        return null;
    }
  });
}

function databaseProperty(name: Compiled, session: Session): Compiled {
  const { options } = session.database;
  return strict([name], { name: "sql_variant" }, (value) => {
    const property = textOf(value).toLowerCase();
    if (property === "collation") return variantOf(text(128), options.collation);
    return property === "updateability" ? variantOf(text(128), "READ_WRITE") : null;
  });
}

/** A number that stays the same for a table; NULL where there is none. */
function objectId(path: string, session: Session): Value {
  const table = session.database.find(splitPath(path), session);
  return table === undefined
    ? null
    : [...session.database.tables.values(), ...session.temporaryTables.values()].indexOf(table) + 1000;
}

/** `[my schema].[t]`, `"s"."t"` or `s.t` as parts. */
export function splitPath(path: string): string[] {
  const parts = path.match(/\[(?:[^\]]|\]\])*\]|"(?:[^"]|"")*"|[^.]+/gu) ?? [];
  return parts.map((part) => {
    if (part.startsWith("[")) return part.slice(1, -1).replaceAll("]]", "]");
    return part.startsWith('"') ? part.slice(1, -1).replaceAll('""', '"') : part;
  });
}
