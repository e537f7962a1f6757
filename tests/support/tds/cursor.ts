import type { Token } from "./lexer.ts";
import { syntaxError } from "./sql-error.ts";
import type { Query, TableName } from "./syntax.ts";

/** The place in the tokens, and what the statement that is being parsed reads. */
export class Cursor {
  readonly tokens: readonly Token[];
  /** Subqueries: given in, for the two parsers need each other. */
  readonly parseQuery: (cursor: Cursor) => Query;
  at = 0;
  reads: { table: TableName; hints: readonly string[] }[] = [];

  constructor(tokens: readonly Token[], parseQuery: (cursor: Cursor) => Query) {
    this.tokens = tokens;
    this.parseQuery = parseQuery;
  }

  peek(ahead = 0): Token {
    return this.tokens[this.at + ahead] ?? endToken;
  }

  next(): Token {
    const token = this.peek();
    this.at += 1;
    return token;
  }

  /** True, and past them, if these keywords or symbols come next. */
  take(...words: readonly string[]): boolean {
    if (!words.every((word, index) => this.is(word, index))) return false;
    this.at += words.length;
    return true;
  }

  is(word: string, ahead = 0): boolean {
    const token = this.peek(ahead);
    return (token.kind === "word" || token.kind === "symbol") && token.text.toUpperCase() === word;
  }

  expect(...words: readonly string[]): void {
    for (const word of words) if (!this.take(word)) throw this.refuse();
  }

  refuse(): Error {
    const token = this.peek();
    return syntaxError(token.kind === "end" ? "end of batch" : token.text, token.line);
  }

  name(): string {
    const token = this.peek();
    const free = token.kind === "name" || (token.kind === "word" && !reserved.has(token.text.toUpperCase()));
    if (!free || token.text === "") throw this.refuse();
    this.at += 1;
    return token.text;
  }

  path(): string[] {
    const parts = [this.name()];
    while (this.take(".")) {
      if (this.is(".")) continue; // tempdb..#t
      parts.push(this.name());
    }
    return parts;
  }

  table(): TableName {
    const { line } = this.peek();
    return { path: this.path(), line };
  }

  list<Part>(part: () => Part): Part[] {
    const parts = [part()];
    while (this.take(",")) parts.push(part());
    return parts;
  }

  names(): string[] {
    this.expect("(");
    const names = this.list(() => this.name());
    this.expect(")");
    return names;
  }
}

const endToken: Token = { kind: "end", text: "", unicode: false, line: 1, start: 0, end: 0 };

const reserved: ReadonlySet<string> = new Set(
  `ADD ALL ALTER AND AS ASC BEGIN BETWEEN BY CASE CHECK CLUSTERED COLLATE COMMIT CONSTRAINT CREATE CROSS DECLARE DEFAULT DELETE DESC DISTINCT
  DROP ELSE END EXCEPT EXEC EXECUTE EXISTS FETCH FOR FROM FULL GROUP HAVING HOLDLOCK IDENTITY IF IN INDEX INNER INSERT INTERSECT INTO IS JOIN KEY LEFT
  LIKE MERGE NOT NULL OF ON OPTION OR ORDER OUTER OVER PRIMARY PROCEDURE READ REFERENCES RIGHT ROLLBACK SAVE SELECT SET TABLE THEN TO TOP TRAN
  TRANSACTION TRUNCATE UNION UNIQUE UPDATE USE USER VALUES VIEW WHEN WHERE WHILE WITH`.split(/\s+/u),
);
