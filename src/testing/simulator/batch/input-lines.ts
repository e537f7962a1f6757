import type { FileHandle } from "node:fs/promises";

/** A line of an input file that passed the validation. Its text stays on disk. */
export interface InputLine {
  readonly customId: string;
  /** The place of its first byte in the file. */
  readonly start: number;
  readonly bytes: number;
}

/** An error of the validation, as the batch shows it. */
export interface ValidationError {
  readonly code: string;
  readonly message: string;
  readonly param: string | null;
  /** From 1; null for an error of the whole file. */
  readonly line: number | null;
}

export interface ValidationRules {
  /** The endpoint of the batch. */
  readonly endpoint: string;
  readonly maxLines: number;
  /** Says why a deployment takes no batch; undefined where it does. */
  readonly problemOfModel: (model: string) => { readonly code: string; readonly message: string } | undefined;
}

export interface ValidatedInput {
  readonly lines: readonly InputLine[];
  /** Empty for a file that is right. */
  readonly errors: readonly ValidationError[];
}

const maxErrors = 10;
const lineFeed = 0x0a;

/** The endpoint without its version: Azure's samples have both forms. @example "/v1/chat/completions" is "/chat/completions" */
export function bareEndpoint(url: string): string {
  return url.replace(/^\/v1(?=\/)/, "");
}

/** Reads an input file to its end and validates each line. Memory holds one line, and the ids. */
export async function validateInput(handle: FileHandle, rules: ValidationRules): Promise<ValidatedInput> {
  const validation = new Validation(rules);
  for await (const { start, content } of linesWithPlaces(handle)) {
    validation.read(start, content);
    if (validation.errors.length >= maxErrors) break;
  }
  return validation.end();
}

/** The text of a line. */
export async function readLine(handle: FileHandle, { start, bytes }: InputLine): Promise<string> {
  const content = Buffer.allocUnsafe(bytes);
  await handle.read(content, 0, bytes, start);
  return content.toString();
}

class Validation {
  readonly errors: ValidationError[] = [];
  readonly #rules: ValidationRules;
  readonly #lines: InputLine[] = [];
  readonly #ids = new Set<string>();
  #number = 0;
  #model: string | undefined;

  constructor(rules: ValidationRules) {
    this.#rules = rules;
  }

  read(start: number, content: Buffer): void {
    this.#number += 1;
    const line = parseObject(content);
    if (line === undefined) return this.#add("invalid_json_line", "This line is not a JSON object.", null);
    const { custom_id: customId, method, url, body } = line;
    if (typeof customId !== "string" || customId === "") {
      return this.#add("missing_required_parameter", "This line has no custom_id.", "custom_id");
    }
    if (this.#ids.has(customId)) return this.#add("duplicate_custom_id", "This custom_id came before.", "custom_id");
    this.#ids.add(customId);
    if (method !== "POST") return this.#add("invalid_method", "The method has to be POST.", "method");
    if (typeof url !== "string" || bareEndpoint(url) !== bareEndpoint(this.#rules.endpoint)) {
      return this.#add("url_mismatch", "The url is not the endpoint of the batch.", "url");
    }
    if (this.#checkModel(body)) this.#lines.push({ customId, start, bytes: content.length });
  }

  end(): ValidatedInput {
    if (this.#number > this.#rules.maxLines) {
      this.#number = 0;
      this.#add("too_many_tasks", `The file has more than ${this.#rules.maxLines} lines.`, null);
    }
    if (this.#number === 0 && this.errors.length === 0) this.#add("empty_file", "The file has no lines.", null);
    return { lines: this.#lines, errors: this.errors };
  }

  /** All lines have to name the same deployment. */
  #checkModel(body: unknown): boolean {
    const model = isObject(body) ? body["model"] : undefined;
    if (typeof model !== "string" || model === "") {
      this.#add("invalid_request", "The body of this line names no model.", "body.model");
      return false;
    }
    if (this.#model === undefined) {
      this.#model = model;
      const problem = this.#rules.problemOfModel(model);
      if (problem !== undefined) this.#add(problem.code, problem.message, "body.model");
    }
    if (model !== this.#model) this.#add("model_mismatch", "This line names another model.", "body.model");
    return model === this.#model;
  }

  #add(code: string, message: string, param: string | null): void {
    this.errors.push({ code, message, param, line: this.#number === 0 ? null : this.#number });
  }
}

interface PlacedLine {
  readonly start: number;
  readonly content: Buffer;
}

/** The lines that are not blank, with their places. They end with LF or CR LF; a byte order mark is part of the first. */
async function* linesWithPlaces(handle: FileHandle): AsyncGenerator<PlacedLine, void, undefined> {
  let begun: Buffer[] = [];
  let start = 0;
  const chunks: AsyncIterable<Buffer> = handle.createReadStream({ start: 0, autoClose: false });
  for await (const chunk of chunks) {
    let from = 0;
    for (let end = chunk.indexOf(lineFeed); end !== -1; end = chunk.indexOf(lineFeed, from)) {
      const content = Buffer.concat([...begun, chunk.subarray(from, end)]);
      if (content.toString().trim() !== "") yield { start, content };
      start += content.length + 1;
      from = end + 1;
      begun = [];
    }
    if (from < chunk.length) begun.push(chunk.subarray(from));
  }
  const content = Buffer.concat(begun);
  if (content.toString().trim() !== "") yield { start, content };
}

function parseObject(content: Buffer): Readonly<Record<string, unknown>> | undefined {
  try {
    // Not by a decoder that leaves the byte order mark out: such a file is wrong.
    const value: unknown = JSON.parse(content.toString());
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
