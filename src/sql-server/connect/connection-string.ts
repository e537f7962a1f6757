import type { ErrorFacts } from "../../errors/facts.ts";
import { foldKey, isKnownKey } from "./connection-keys.ts";

export type ConnectionStringForm = "odbc" | "ado-net";

/** One `key=value` of a connection string. */
export interface ConnectionStringPair {
  /** As it is written, without the space around it. */
  readonly key: string;
  readonly value: string;
  /** The value stood in quotes or braces: it ends where its writer meant it to. */
  readonly quoted: boolean;
}

export interface ParsedConnectionString {
  readonly form: ConnectionStringForm;
  readonly pairs: readonly ConnectionStringPair[];
}

/**
 * Makes the error for a connection string. Neither the problem nor the facts hold a value: a password may be wherever a quote is
 * missing. The problem may be empty if the facts say all.
 */
export type Invalid = (problem: string, facts?: ErrorFacts) => Error;

/**
 * Takes a connection string apart by the rules of its form: ODBC (`Driver={…};PWD={a}}b}`), if it has a driver, else ADO.NET
 * (`Data Source=…;Password="a""b"`). The meaning of the keys is not its matter.
 *
 * @throws the error of `invalid` for text that is neither
 */
export function parseConnectionString(text: string, invalid: Invalid): ParsedConnectionString {
  if (/^\s*(jdbc:|[a-z][a-z\d+.-]*:\/\/)/i.test(text)) {
    const hint = "write Server=<host>,1433;Database=<name>;User ID=<user>;Password=<password>";
    throw invalid("a URL can't be read here", { hint });
  }
  // A password may hold "Driver=" in either form, so each form is read by its own rules before it is believed.
  const adoNet = scan(text, "ado-net");
  if (adoNet.problem === undefined && !namesDriver(adoNet.pairs)) return { form: "ado-net", pairs: adoNet.pairs };
  const odbc = scan(text, "odbc");
  const { form, pairs, problem } = namesDriver(odbc.pairs) ? odbc : adoNet;
  if (problem !== undefined) throw invalid(problem.text, problem.facts);
  return { form, pairs };
}

interface Scan {
  readonly form: ConnectionStringForm;
  /** As far as it could be read. */
  readonly pairs: readonly ConnectionStringPair[];
  readonly problem?: Problem;
}

interface Problem {
  readonly text: string;
  readonly facts?: ErrorFacts;
}

/** By the sign that opens a quoted value the one that closes it, which is doubled within. */
const quotes: Readonly<Record<ConnectionStringForm, Readonly<Record<string, string>>>> = {
  odbc: { "{": "}" },
  "ado-net": { '"': '"', "'": "'" },
};

/** A value that begins with the other form's quote means one thing in each: it has to be said which. */
const foreignQuotes: Readonly<
  Record<ConnectionStringForm, { readonly opens: RegExp; readonly problem: string; readonly hint: string }>
> = {
  odbc: {
    opens: /^["']/,
    problem: "begins with a quote, which quotes nothing beside Driver=",
    hint: "put the value in braces, {…}, with } doubled",
  },
  "ado-net": {
    opens: /^\{/,
    problem: "begins with a brace",
    hint:
      'if that is a quote of ODBC, begin the string with "Driver={ODBC Driver 18 for SQL Server};", ' +
      'if the brace belongs to it, put the value in double quotes, with " doubled',
  },
};

function namesDriver(pairs: readonly ConnectionStringPair[]): boolean {
  return pairs.some(({ key }) => ["driver", "dsn", "filedsn"].includes(foldKey(key)));
}

function scan(text: string, form: ConnectionStringForm): Scan {
  const pairs: ConnectionStringPair[] = [];
  if (text.includes("\0")) return { form, pairs, problem: { text: "it holds a NUL character" } };
  const separators = /[\s;]*/y;
  for (let index = 0; ;) {
    separators.lastIndex = index;
    index += separators.exec(text)?.[0].length ?? 0;
    if (index === text.length) return { form, pairs };
    const key = scanKey(text, index, form);
    if (key === undefined) return { form, pairs, problem: keyMissing(pairs, form) };
    const value = scanValue(text, key.end, form);
    const pair = { key: key.name, value: value.text, quoted: value.quoted };
    pairs.push(pair);
    if (value.problem !== undefined) {
      const facts = { key: knownKey(pair), ...value.problem.facts };
      return { form, pairs, problem: { text: `the value of ${nameKey(pair)} ${value.problem.text}`, facts } };
    }
    index = value.end;
  }
}

/** The key that begins at `start`, and where its value does. Undefined if no `=` ends it. */
function scanKey(
  text: string,
  start: number,
  form: ConnectionStringForm,
): { readonly name: string; readonly end: number } | undefined {
  const pattern = form === "ado-net" ? /((?:[^=;]|==)+)=(?!=)/y : /([^=;]+)=/y; // ADO.NET doubles a = in a key
  pattern.lastIndex = start;
  const [found, written] = pattern.exec(text) ?? [];
  if (found === undefined || written === undefined) return undefined;
  const name = form === "ado-net" ? written.replaceAll("==", "=") : written;
  return { name: name.trim(), end: start + found.length };
}

interface ScannedValue {
  readonly text: string;
  readonly quoted: boolean;
  readonly end: number;
  readonly problem?: Problem;
}

function scanValue(text: string, afterEquals: number, form: ConnectionStringForm): ScannedValue {
  const start = afterEquals + (/^\s*/.exec(text.slice(afterEquals))?.[0].length ?? 0);
  const open = text[start] ?? "";
  const close = quotes[form][open];
  if (close !== undefined) return scanQuoted(text, start, open, close);
  const semicolon = text.indexOf(";", start);
  const end = semicolon === -1 ? text.length : semicolon;
  const value = { text: text.slice(start, end).trim(), quoted: false, end };
  const { opens, problem, hint } = foreignQuotes[form];
  return opens.test(value.text) ? { ...value, problem: { text: problem, facts: { hint } } } : value;
}

function scanQuoted(text: string, start: number, open: string, close: string): ScannedValue {
  const scanned = { text: "", quoted: true, end: text.length };
  for (let index = start + 1; ; index += 2) {
    index = text.indexOf(close, index);
    if (index === -1) return { ...scanned, problem: { text: `begins with ${open} and has no ${close} at its end` } };
    if (text[index + 1] === close) continue;
    if (!/^\s*(;|$)/.test(text.slice(index + 1))) {
      const facts = { hint: `write a ${close} within it twice` };
      return { ...scanned, problem: { text: `goes on after its closing ${close}`, facts } };
    }
    return { text: text.slice(start + 1, index).replaceAll(close + close, close), quoted: true, end: index + 1 };
  }
}

function keyMissing(pairs: readonly ConnectionStringPair[], form: ConnectionStringForm): Problem {
  const last = pairs.at(-1);
  if (last === undefined) {
    return { text: 'it does not begin with a key and "="', facts: { hint: "write Server=<host>;Database=<name>;…" } };
  }
  const quoting = form === "odbc" ? "in braces, {…}, with } doubled" : 'in double quotes, with " doubled';
  const hint = `put a value with ";" in it, or "=" at its beginning, ${quoting}`;
  return { text: `the text after ${nameKey(last)} is no key with "="`, facts: { after: knownKey(last), hint } };
}

function nameKey(pair: ConnectionStringPair): string {
  const key = knownKey(pair);
  return key === undefined ? "an unknown key" : `"${key}"`;
}

/** An unknown key may be a piece of a password whose quotes are missing: no message has it. */
function knownKey({ key }: ConnectionStringPair): string | undefined {
  return isKnownKey(key) ? key : undefined;
}
