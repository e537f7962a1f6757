import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** The root of the repository. */
export const root = fileURLToPath(new URL("../..", import.meta.url));

/** A fenced block of a page, with what the comments right before it say of it. */
export interface CodeBlock {
  /** The page's path in the repository. */
  readonly page: string;
  /** Of its first line of code, counted from 1. */
  readonly line: number;
  readonly language: string;
  readonly text: string;
  readonly comments: {
    /** The file of the repository that holds its lines. */
    readonly excerptOf?: string;
    /** Its name in the page's folder. */
    readonly file?: string;
    /** Why it is not run. */
    readonly notRun?: string;
    /** Whether its commands are run. */
    readonly run?: boolean;
    /** A comment that means nothing here: a slip of the pen. */
    readonly unknown?: string;
  };
}

/** The fenced blocks of a page, in its order. */
export function codeBlocks(page: string, markdown: string): CodeBlock[] {
  const lines = markdown.split("\n");
  const blocks: CodeBlock[] = [];
  for (let index = 0; index < lines.length; index += 1) {
    const [, indent, fence, language = ""] = /^( *)(`{3,}|~{3,})([^\s`]*)/.exec(lines[index] ?? "") ?? [];
    if (indent === undefined || fence === undefined) continue;
    const start = index + 1;
    const length = lines.slice(start).findIndex((line) => line.trim() === fence);
    if (length === -1) throw new Error(`${page}:${index + 1}: the block does not end`);
    const text = lines.slice(start, start + length).map((line) => line.slice(indent.length));
    const comments = commentsBefore(lines.slice(0, index));
    blocks.push({ page, line: start + 1, language, text: `${text.join("\n")}\n`, comments });
    index = start + length;
  }
  return blocks;
}

function commentsBefore(lines: readonly string[]): CodeBlock["comments"] {
  const last = lines.findLastIndex((line) => line.trim() !== "" && !/^ *<!--.*-->$/.test(line));
  const found = lines.slice(last + 1).filter((line) => line.trim() !== "");
  return Object.assign({}, ...found.map(meaningOf));
}

function meaningOf(line: string): CodeBlock["comments"] {
  const comment = line.trim().slice("<!--".length, -"-->".length).trim();
  const [, name, value = ""] = /^(excerpt of|file:|not run:) +(.+)$/.exec(comment) ?? [];
  if (name === "excerpt of") return { excerptOf: value };
  if (name === "file:") return { file: value };
  if (name === "not run:") return { notRun: value };
  return comment === "run" ? { run: true } : { unknown: comment };
}

/** What is wrong with an excerpt: its lines stand in the file, in this order, where `…` is for lines left out. */
export function excerptProblems({ text, comments: { excerptOf = "" } }: CodeBlock): string[] {
  const source = trimmed(readFileSync(join(root, excerptOf), "utf8"));
  let position = 0;
  for (const part of trimmed(text.trimEnd()).split(/\n…(?=\n|$)/)) {
    const found = source.indexOf(part, position);
    if (found === -1) return [`${excerptOf} does not hold, here and in this order:${part}`];
    position = found + part.length;
  }
  return [];
}

/** Its lines without their indentation, a line break before each of them. */
function trimmed(text: string): string {
  return text
    .split("\n")
    .map((line) => `\n${line.trim()}`)
    .join("");
}
