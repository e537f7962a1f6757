import { collationOf, compareText, defaultCollation, fold } from "./collation.ts";
import { convert, isVariant, parseDecimal, rescale } from "./convert.ts";
import { parseMoment, toUTC } from "./date-time.ts";
import { family, type SQLType, textOf, type Value } from "./sql-type.ts";

/** Equal for two values of the family that compare as equal; two families never meet here. */
export function keyOf(value: Value, type: SQLType): string | undefined {
  if (value === null) return undefined;
  switch (family(type)) {
    case "number":
      return numberKey(value);
    case "text":
      return fold(textOf(value), collationOf(type.collation ?? defaultCollation));
    case "date":
      return momentKey(textOf(value));
    case "binary":
    case "udt":
      return Buffer.isBuffer(value) ? value.toString("hex") : textOf(value);
    case "float":
      return String(Number(value));
    case "guid":
      return textOf(value);
    case "variant":
      break;
  }
  return isVariant(value) ? `${family(value.type)} ${keyOf(value.value, value.type)}` : textOf(value);
}

function numberKey(value: Value): string {
  if (typeof value === "string")
    return value.includes(".") ? value.replace(/\.?0+$/u, "").replace(/^-0$/u, "0") : value;
  return typeof value === "boolean" ? (value ? "1" : "0") : textOf(value);
}

function momentKey(text: string): string {
  const { day, ticks } = toUTC(parseMoment(text) ?? { day: 0, ticks: 0, offset: 0 });
  return `${day} ${ticks}`;
}

/** Lower is converted to higher where two families meet (the order of SQL Server's data type precedence). */
const precedence = ["binary", "text", "guid", "number", "float", "date", "variant", "udt"] as const;

/** Negative, zero or positive; NULL has been dealt with before. */
export function compare(left: Value, leftType: SQLType, right: Value, rightType: SQLType): number {
  const [a, b] = [family(leftType), family(rightType)];
  if (a !== b) {
    const leftIsLower = precedence.indexOf(a) < precedence.indexOf(b);
    if (!leftIsLower) return -compare(right, rightType, left, leftType);
    return compare(convert(left, leftType, comparable(rightType)), rightType, right, rightType);
  }
  switch (a) {
    case "number": {
      if (typeof left === "number" && typeof right === "number") return sign(left, right);
      const [x, y] = [parseDecimal(numberKey(left)), parseDecimal(numberKey(right))];
      if (x === undefined || y === undefined) return 0;
      const scale = Math.max(x.scale, y.scale);
      return sign(rescale(x, scale), rescale(y, scale));
    }
    case "float":
      return sign(Number(left), Number(right));
    case "text":
      return compareText(
        textOf(left),
        textOf(right),
        collationOf(leftType.collation ?? rightType.collation ?? defaultCollation),
      );
    case "date": {
      const [x, y] = [parseMoment(textOf(left)), parseMoment(textOf(right))];
      if (x === undefined || y === undefined) return 0;
      const [u, v] = [toUTC(x), toUTC(y)];
      return sign(u.day, v.day) || sign(u.ticks, v.ticks);
    }
    case "guid":
      return sign(guidOrder(textOf(left)), guidOrder(textOf(right)));
    case "binary":
    case "udt":
    case "variant":
      break;
  }
  return sign(keyOf(left, leftType) ?? "", keyOf(right, rightType) ?? "");
}

/** Text is compared with an integer as an integer, but with a decimal as one wide enough for anything. */
function comparable(type: SQLType): SQLType {
  return type.name === "decimal" || type.name === "numeric"
    ? { name: "decimal", precision: 38, scale: type.scale ?? 0 }
    : type;
}

/** The last six bytes count first, as SQL Server orders GUIDs. */
function guidOrder(text: string): string {
  const parts = text.split("-");
  const [a = "", b = "", c = "", d = "", e = ""] = parts;
  const swapped = (hex: string) => (hex.match(/../gu) ?? []).toReversed().join("");
  return e + d + swapped(c) + swapped(b) + swapped(a);
}

const sign = <Ordered extends string | number | bigint>(a: Ordered, b: Ordered): number => (a < b ? -1 : a > b ? 1 : 0);

/** NULL comes first. */
export function compareNullable(left: Value, right: Value, type: SQLType): number {
  if (left === null || right === null) return left === right ? 0 : left === null ? -1 : 1;
  return compare(left, type, right, type);
}
