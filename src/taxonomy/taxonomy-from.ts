import type { Source, SourceRow } from "../contracts/source.ts";
import { acceptRaw } from "../engine/accept-row.ts";
import { closest } from "../errors/closest.ts";
import type { ErrorFacts } from "../errors/facts.ts";
import { LLMEtlError } from "../errors/llm-etl-error.ts";
import { OptionError } from "../errors/option.ts";
import { checkOptions, hasFunctions, isName, isOneOf, type OptionCheck, optional } from "../errors/options.ts";
import { SourceError } from "../errors/source.ts";
import { TaxonomyError } from "../errors/taxonomy.ts";
import { problemOf } from "../errors/thrown.ts";
import { codeIn, endIn, textIn, textsIn } from "./cells.ts";
import { type GivenNode, treeNodes } from "./tree-nodes.ts";
import { Taxonomy } from "./taxonomy.ts";
import type { TaxonomyOptions } from "./taxonomy-of.ts";

/** A column of a row; any, where nothing is known of them. */
type ColumnOf<Row extends object> = [keyof Row & string] extends [never] ? string : keyof Row & string;

/** The columns of the rows that describe a taxonomy, one node a row. */
export interface TaxonomyColumns<Row extends object> extends TaxonomyOptions {
  /** Text or a number. Answers carry it. */
  readonly code: ColumnOf<Row>;
  readonly name: ColumnOf<Row>;
  /** The code of the node above; empty for the root. @default a flat list */
  readonly parent?: ColumnOf<Row> | undefined;
  /** The texts that belong in the category; each leaf needs one. @default the model has the names alone */
  readonly definition?: ColumnOf<Row> | undefined;
  /** Other names: an array, an array in JSON, or one text. */
  readonly aliases?: ColumnOf<Row> | undefined;
  /** Texts that belong in the category: an array, an array in JSON, or one text. */
  readonly examples?: ColumnOf<Row> | undefined;
  /**
   * The end of its validity, a date or its text in ISO 8601; empty for none. A node whose end has passed is left out, with all below it. A date
   * without a time is valid to the end of that day, in UTC.
   */
  readonly validTo?: ColumnOf<Row> | undefined;
  /** The moment at which the nodes are to be valid. @default now */
  readonly at?: Date | undefined;
}

const owner = "taxonomyFrom";

/**
 * Reads a taxonomy: one node for each row of a source, all of which are read at once. It is read once, when it is called.
 *
 * @throws {TaxonomyError} for rows that are no tree: a code twice, a parent that is not there, a circle, several roots, no leaf, an empty cell
 * @throws {OptionError} for a column that the rows do not have
 * @throws {SourceError} if the source can't be read
 *
 * @example taxonomy: await taxonomyFrom(codes, { code: "code", parent: "parent_code", name: "title", definition: "description" })
 */
export async function taxonomyFrom<Row extends object>(
  source: Source<Row>,
  columns: TaxonomyColumns<NoInfer<Row>>,
): Promise<Taxonomy> {
  const isColumn = optional(isName);
  const lists = { aliases: isColumn, examples: isColumn };
  const others = { validTo: isColumn, at: optional(isMoment), roots: optional(isOneOf("one", "several")) };
  checkOptions(owner, { source }, { source: hasFunctions("a source", "read") });
  checkOptions(owner, columns, {
    code: isName,
    name: isName,
    parent: isColumn,
    definition: isColumn,
    ...lists,
    ...others,
  });
  const { code, parent = "parent", definition = "definition", roots = "one" } = columns;
  const given = await nodesIn(source, columns);
  const tree = treeNodes(given, { owner, where: { code, parent, definition }, roots });
  return new Taxonomy(tree.nodes, tree.leftOutCount);
}

const isMoment: OptionCheck = {
  expected: "a Date",
  fits: (value) => value instanceof Date && !Number.isNaN(value.getTime()),
  required: true,
};

async function nodesIn<Row extends object>(
  source: Source<Row>,
  columns: TaxonomyColumns<Row>,
): Promise<readonly GivenNode[]> {
  const reader = new NodeReader(columns, source.namesAreData);
  const given: GivenNode[] = [];
  try {
    for await (const row of source.read({ signal: new AbortController().signal, parameters: {} })) {
      given.push(reader.nodeOf(await rowOf(row, source), row.position));
    }
  } catch (error) {
    if (error instanceof LLMEtlError) throw error;
    const { problem, options } = problemOf(error);
    throw new SourceError(source.name, problem, options);
  }
  reader.requireColumns();
  return given;
}

/** A row as the source's schema makes it. One that is wrong is missing in the taxonomy, so that none is made. */
async function rowOf<Row extends object>(
  row: SourceRow,
  source: Source<Row>,
): Promise<Readonly<Record<string, unknown>>> {
  try {
    return { ...Object(await acceptRaw(row, source)) };
  } catch (error) {
    if (!(error instanceof LLMEtlError) || error.scope === "run") throw error;
    const sentence = "a row is wrong, and without it the taxonomy is not complete";
    throw new TaxonomyError(owner, `${sentence}: ${error.message}`, {
      cause: error,
      detail: `${owner}: ${sentence}: ${error.detail}`,
      facts: { problem: "row", rows: [row.position], rowCode: error.code },
    });
  }
}

/** Makes nodes of rows. */
class NodeReader<Row extends object> {
  readonly #columns: TaxonomyColumns<Row>;
  readonly #now: number;
  /** The columns that no row has had so far, by option. */
  readonly #missing: Map<string, string>;
  readonly #names = new Set<string>();
  readonly #namesAreData: boolean;

  constructor(columns: TaxonomyColumns<Row>, namesAreData = false) {
    const { at = new Date(), roots: _, ...named } = columns;
    const columnsNamed: readonly [string, string | undefined][] = Object.entries(named);
    this.#namesAreData = namesAreData;
    this.#columns = columns;
    this.#now = at.getTime();
    this.#missing = new Map(
      columnsNamed.flatMap(([option, column]) => (column === undefined ? [] : [[option, column]])),
    );
  }

  nodeOf(cells: Readonly<Record<string, unknown>>, row: number): GivenNode {
    if (this.#missing.size > 0) this.#look(cells);
    const { code, name, parent, definition, aliases, examples, validTo } = this.#columns;
    const cell = (column: string | undefined): unknown => (column === undefined ? undefined : cells[column]);
    const above = parent === undefined ? null : this.#parentOf(cells[parent], parent, row);
    const end = endIn(cell(validTo));
    if (Number.isNaN(end)) throw wrongCell("validTo", { where: validTo, expected: "a date, or nothing" }, row);
    const texts = (option: string, column: string | undefined): readonly string[] => {
      const found = textsIn(cell(column));
      if (found === undefined) throw wrongCell(option, { where: column, expected: "texts" }, row);
      return found;
    };
    const defined = definition === undefined ? undefined : textIn(cells[definition]);
    if (definition !== undefined && defined === undefined) {
      throw wrongCell("definition", { where: definition, expected: "text" }, row);
    }
    const node = {
      code: filled("code", codeIn(cells[code]), code, row),
      name: filled("name", textIn(cells[name]), name, row),
      parent: above,
      definition: defined,
      aliases: texts("aliases", aliases),
      examples: texts("examples", examples),
    };
    return { node, row, isOver: end <= this.#now };
  }

  #parentOf(value: unknown, column: string, row: number): string | null {
    if (textIn(value) === "") return null;
    return codeIn(value) ?? raise(wrongCell("parent", { where: column, expected: "a code, or nothing" }, row));
  }

  #look(cells: Readonly<Record<string, unknown>>): void {
    const isFirst = this.#names.size === 0;
    for (const column of Object.keys(cells)) this.#names.add(column);
    for (const [option, column] of this.#missing) if (this.#names.has(column)) this.#missing.delete(option);
    const [option = ""] = this.#missing.keys();
    if (isFirst && (option === "code" || option === "name")) this.requireColumns();
  }

  /** @throws {OptionError} for a column that no row has */
  requireColumns(): void {
    const [missing] = this.#missing;
    if (missing === undefined || this.#names.size === 0) return;
    const [option, column] = missing;
    const [nearest] = this.#namesAreData ? [] : closest(column, [...this.#names], 1);
    const hint = nearest === undefined ? "name a column of the source" : `did you mean "${nearest}"?`;
    throw new OptionError(owner, option, `the rows have no column "${column}"`, { column, hint, nearest });
  }
}

function filled(option: string, text: string | undefined, column: string, row: number): string {
  if (text !== undefined && text !== "") return text;
  throw wrongCell(option, { where: column, expected: `a ${option} that is not blank` }, row);
}

function wrongCell(option: string, facts: ErrorFacts, row: number): TaxonomyError {
  return new TaxonomyError(owner, `row ${row}: ${option}`, {
    facts: { problem: option, ...facts, rows: [row] },
  });
}

function raise(error: Error): never {
  throw error;
}
