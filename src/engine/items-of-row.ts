import type { Each } from "../contracts/sink.ts";
import { describeType } from "../errors/describe-type.ts";
import { ignoreRejection } from "../errors/promised.ts";
import { EachError } from "../errors/sink.ts";
import { describeThrown, thrownBy, thrownDetail } from "../errors/thrown.ts";

/**
 * The items of a finished row.
 *
 * @throws {EachError} if a function of `each` throws, if it gives no array or more items than `maxItems`, or if two items have one key
 */
export function itemsOf({ items: read, key, maxItems }: Each, state: object): readonly unknown[] {
  const given = resultOf("items", () => read(state as never)); // the builder's types have matched them, here and below
  if (!Array.isArray(given)) {
    const hint = "give [] for a row that has no items";
    throw new EachError("items", "returned a wrong value", {
      facts: { expected: "an array", got: gotOf(given), hint },
    });
  }
  if (given.length > maxItems) {
    const hint =
      "a row's items are written at once, in one transaction: raise maxItems if they are meant to be so many";
    const facts = { expected: `at most ${maxItems} items`, got: given.length, hint };
    throw new EachError("items", "gave too many", { facts });
  }
  // Not as it was given: a sparse array has no value where it has none, and `key` may change what it finds in its reach.
  const items = resultOf("items", () => Array.from<unknown>(given));
  const keys = items.map((item, index) => {
    const value = resultOf("key", () => key(item as never, index)); // as for `items`
    if (typeof value === "string" || typeof value === "number" || typeof value === "bigint") return String(value);
    throw new EachError("key", "returned a wrong value", {
      facts: { expected: "text or a number", got: gotOf(value), index },
    });
  });
  const twins = firstTwins(keys);
  if (twins === undefined) return items;
  const { index, otherIndex, text } = twins;
  const problem = `is the same for the items ${otherIndex} and ${index}`;
  const hint = "make it of more fields, or of the index; or leave out the items that are there twice";
  const detail = `each: key ${problem}: ${text}`;
  throw new EachError("key", problem, { detail, facts: { index, otherIndex, hint } });
}

/** The first text that is there twice, with both places. */
export function firstTwins(
  texts: readonly string[],
): { readonly text: string; readonly index: number; readonly otherIndex: number } | undefined {
  const places = new Map<string, number>();
  for (const [index, text] of texts.entries()) {
    const otherIndex = places.get(text);
    if (otherIndex !== undefined) return { text, index, otherIndex };
    places.set(text, index);
  }
  return undefined;
}

function resultOf<Result>(where: "items" | "key", work: () => Result): Result {
  try {
    return work();
  } catch (cause) {
    const detail = `each: ${where} threw ${thrownDetail(cause)}`;
    throw new EachError(where, `threw ${describeThrown(cause)}`, { cause, detail, facts: { ...thrownBy(cause) } });
  }
}

function gotOf(value: unknown): string {
  return ignoreRejection(value) ? "a promise" : describeType(value);
}
