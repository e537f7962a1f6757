import type { RunCost, RunFigures } from "../contracts/report.ts";

/** Formats a whole number with commas between thousands: `1,234`. */
export function formatCount(count: number): string {
  return count.toLocaleString("en");
}

/** The short form of a run's id, for people: its first 8 characters. `llm-etl show` takes it. */
export function shortId(runId: string): string {
  return runId.slice(0, 8);
}

/** Formats an amount with its significant digits and its currency; a dash without prices. */
export function formatCost(cost: RunCost | null): string {
  if (cost === null) return "-";
  return `${formatAmount(cost.amount)} ${cost.currency}`;
}

/** Formats an amount of money without its currency: two decimals, or three digits of less than 0.1. */
export function formatAmount(amount: number): string {
  const isSmall = amount > 0 && amount < 0.1;
  const digits = isSmall ? { maximumSignificantDigits: 3 } : { minimumFractionDigits: 2, maximumFractionDigits: 2 };
  return amount.toLocaleString("en", digits);
}

/** Marks a cost that was counted by list prices: `list price, @pydantic/genai-prices 0.1.8`. */
export function listPriceMark(source: string): string {
  return `list price, ${source}`;
}

/** Formats the cost of a run, with the prices by which it was counted and the calls that it leaves out; a dash without prices. */
export function formatRunCost({ cost, priceSource, unlistedModels = [], usage }: RunFigures): string {
  const models = unlistedModels.join(", ");
  if (cost === null) return models === "" ? "-" : `not known: the price list does not have ${models}`;
  const mark = priceSource === undefined ? "" : ` (${listPriceMark(priceSource)})`;
  const { unpricedCalls = 0 } = usage;
  const rest = unpricedCalls === 0 ? "" : `, without ${formatThings(unpricedCalls, "call")} of unknown price`;
  return `${formatCost(cost)}${mark}${rest}${rest !== "" && models !== "" ? ` (${models})` : ""}`;
}

/** Formats the tokens, and the cost if there are prices, that reused answers saved. */
export function formatSaved(inputTokens: number, outputTokens: number, cost: RunCost | null): string {
  const tokens = `${formatCount(inputTokens)} input and ${formatCount(outputTokens)} output tokens`;
  return cost === null ? tokens : `${tokens}, ${formatCost(cost)}`;
}

/** Formats a number of things: `0 rows`, `1 row`, `1,234 rows`. */
export function formatThings(count: number, noun: string): string {
  return `${formatCount(count)} ${noun}${count === 1 ? "" : "s"}`;
}

/** Formats a number of bytes: `512 bytes`, `1.2 MB`. */
export function formatBytes(bytes: number): string {
  const [unit, size] = bytes < 1e6 ? ["kB", 1e3] : bytes < 1e9 ? ["MB", 1e6] : ["GB", 1e9];
  if (bytes < 1e3) return `${formatCount(bytes)} bytes`;
  return `${(bytes / size).toLocaleString("en", { maximumFractionDigits: 1 })} ${unit}`;
}

/** Formats a rate: `1,234`, `12.3` or `0.45`. */
export function formatRate(perSecond: number): string {
  return perSecond.toLocaleString(
    "en",
    perSecond >= 100 ? { maximumFractionDigits: 0 } : { maximumSignificantDigits: 3 },
  );
}

/** Formats codes with their counts, the most frequent first: `7 × EMPTY_INPUT, 2 × TIMEOUT`. */
export function formatCodes(countsByCode: Readonly<Record<string, number>>): string {
  const sorted = Object.entries(countsByCode).toSorted(([, one], [, other]) => other - one);
  return sorted.map(([code, count]) => `${formatCount(count)} × ${code}`).join(", ");
}

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const dayMs = 24 * hourMs;

/** Formats a duration in its two largest units: `1 min 05 s`. */
export function formatDuration(milliseconds: number): string {
  if (milliseconds < 1000) return `${Math.round(milliseconds)} ms`;
  if (milliseconds < minuteMs) return `${(Math.floor(milliseconds / 100) / 10).toFixed(1)} s`;
  if (milliseconds < hourMs) return twoUnits(milliseconds, [minuteMs, "min"], [1000, "s"]);
  if (milliseconds < dayMs) return twoUnits(milliseconds, [hourMs, "h"], [minuteMs, "min"]);
  return twoUnits(milliseconds, [dayMs, "d"], [hourMs, "h"]);
}

/** Formats local time: `YYYY-MM-DD HH:MM:SS`. */
export function formatTime(time: Date): string {
  const date = [time.getFullYear(), time.getMonth() + 1, time.getDate()].map(twoDigits).join("-");
  return `${date} ${[time.getHours(), time.getMinutes(), time.getSeconds()].map(twoDigits).join(":")}`;
}

/** Replaces control characters, so that text can neither break a line nor control a terminal. */
export function inOneLine(text: string): string {
  return text.replaceAll(/\p{Cc}+/gu, " ");
}

function twoUnits(
  milliseconds: number,
  [large, largeName]: readonly [number, string],
  [small, smallName]: readonly [number, string],
): string {
  const rest = Math.floor((milliseconds % large) / small);
  return `${Math.floor(milliseconds / large)} ${largeName} ${twoDigits(rest)} ${smallName}`;
}

function twoDigits(number: number): string {
  return String(number).padStart(2, "0");
}
