import { describeType } from "../errors/describe-type.ts";
import { OptionError } from "../errors/option.ts";
import { type GivenNode, treeNodes } from "./tree-nodes.ts";
import { Taxonomy, type TaxonomyNode } from "./taxonomy.ts";

/** The codes of nodes that no other node has as its parent; `string` where they are not written out. */
export type LeafCode<Node extends TaxonomyNode> = string extends Node["code"]
  ? string
  : Exclude<Node["code"], ParentOf<Node>>;

type ParentOf<Node extends TaxonomyNode> = Node extends { readonly parent: infer Parent extends string }
  ? Parent
  : never;

export interface TaxonomyOptions {
  /** The number of nodes that may have no parent, where any node has one. @default "one" */
  readonly roots?: "one" | "several" | undefined;
}

/**
 * A taxonomy that is written in the module: a comparison with a code that it does not have does not compile.
 *
 * @throws {TaxonomyError} for a code twice, a parent that is not there, a circle, several roots, and no leaf
 * @throws {OptionError} for a node without a code or a name
 *
 * @example taxonomyOf([{ code: "A", name: "Account" }, { code: "A1", parent: "A", name: "Login", definition: "Getting in" }])
 */
export function taxonomyOf<const Node extends TaxonomyNode>(
  nodes: readonly Node[],
  { roots = "one" }: TaxonomyOptions = {},
): Taxonomy<LeafCode<Node>> {
  const owner = "taxonomyOf";
  if (!Array.isArray(nodes)) {
    const facts = { expected: "an array of { code, name, parent?, definition? }", got: describeType(nodes) };
    throw new OptionError(owner, "nodes", "", facts);
  }
  const given = nodes.map((node, index): GivenNode => {
    const row = index + 1;
    requireNode(node, row);
    return { node, row, isOver: false };
  });
  const where = { code: "code", parent: "parent", definition: "definition" };
  const tree = treeNodes(given, { owner, where, roots });
  return new Taxonomy(tree.nodes, tree.leftOutCount);
}

function requireNode(node: unknown, entry: number): void {
  const { code, name, parent, definition, aliases, examples }: Readonly<Record<string, unknown>> = { ...Object(node) };
  const wrong = (expected: string): OptionError => {
    return new OptionError("taxonomyOf", "nodes", `entry ${entry}`, { expected, entry });
  };
  for (const [key, value] of Object.entries({ code, name })) {
    if (!isFilled(value)) throw wrong(`a ${key} that is not blank`);
  }
  if (parent !== undefined && parent !== null && !isFilled(parent)) throw wrong("a parent that is not blank");
  if (definition !== undefined && !isFilled(definition)) throw wrong("a definition that is not blank");
  for (const [key, list] of Object.entries({ aliases, examples })) {
    if (list !== undefined && !(Array.isArray(list) && list.every(isFilled))) throw wrong(`${key} that are not blank`);
  }
}

function isFilled(value: unknown): value is string {
  return typeof value === "string" && value.trim() !== "";
}
