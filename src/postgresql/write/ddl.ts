import type { ValueType } from "../../contracts/target.ts";
import type { TableDDL } from "../../table/ddl.ts";
import { names } from "../names.ts";

export const ddl: TableDDL = {
  names,
  definitions: ({ keys }) => {
    return ({ name, type, isNullable }) => {
      const [sql, note] = columnType(type);
      return { sql: `${sql}${isNullable && !keys.includes(name) ? "" : " NOT NULL"}`, note };
    };
  },
};

function columnType(type: ValueType): readonly [sql: string, note?: string] {
  switch (type.kind) {
    case "text": {
      const { maxLength = Infinity, isLimit } = type;
      return [isLimit && maxLength <= 10_485_760 ? `varchar(${Math.max(1, Math.floor(maxLength))})` : "text"];
    }
    case "digits":
      return [`char(${type.length})`];
    case "integer":
      return [type.minimum >= -(2 ** 31) && type.maximum < 2 ** 31 ? "integer" : "bigint"];
    case "number":
      return [type.minimum >= 0 && type.maximum <= 1 ? "numeric(5,4)" : "double precision"];
    case "boolean":
    case "date":
    case "uuid":
      return [type.kind];
    case "moment":
      return [`timestamptz(${Math.min(type.decimals, 6)})`];
    case "json":
      return ["jsonb"];
    case "unknown":
    default:
      return ["text", `a guess, for ${type.reason}`];
  }
}
