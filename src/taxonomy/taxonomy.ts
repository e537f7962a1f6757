/** A node of a taxonomy. */
export interface TaxonomyNode<Code extends string = string, Parent extends string = string> {
  /** It stands for the node in answers and in the target; no other node has it. */
  readonly code: Code;
  readonly name: string;
  /** The code of the node above. @default none: it is the root, or one of a flat list */
  readonly parent?: Parent | null | undefined;
  /** The texts that belong there, and those that do not. @default the model has the name alone */
  readonly definition?: string | undefined;
  /** Other names of it. */
  readonly aliases?: readonly string[] | undefined;
  /** Texts that belong there. */
  readonly examples?: readonly string[] | undefined;
}

/** A node that has none below it: one that an answer may name. */
export interface TaxonomyLeaf<Code extends string = string> {
  readonly code: Code;
  readonly name: string;
  /** The names from the top to the leaf, its own the last. */
  readonly path: readonly string[];
}

/** Categories with codes, a flat list or a tree: see `taxonomyFrom` and `taxonomyOf`. It never changes. */
export class Taxonomy<Code extends string = string> {
  readonly nodes: readonly TaxonomyNode[];
  readonly leaves: readonly TaxonomyLeaf<Code>[];
  /** Rows that are no part of it, for their `validTo`, or that of a node above, has passed. */
  readonly leftOutCount: number;

  /** @param nodes a tree, or a flat list, as `treeNodes` finds it */
  constructor(nodes: readonly TaxonomyNode[], leftOutCount: number) {
    this.nodes = Object.freeze(nodes.map(frozen));
    const leaves = leavesOf(branchOf(this.nodes)).map(({ code, name, path }) => Object.freeze({ code, name, path }));
    this.leaves = Object.freeze(leaves) as readonly TaxonomyLeaf<Code>[]; // Code is the type of their codes
    this.leftOutCount = leftOutCount;
    Object.freeze(this);
  }
}

function frozen(node: TaxonomyNode): TaxonomyNode {
  const { aliases, examples } = node;
  return Object.freeze({
    ...node,
    ...(aliases !== undefined && { aliases: Object.freeze([...aliases]) }),
    ...(examples !== undefined && { examples: Object.freeze([...examples]) }),
  });
}

/** A node with those below it. */
export interface Branch extends Pick<TaxonomyNode, "code" | "name"> {
  readonly definition: string;
  readonly aliases: readonly string[];
  readonly examples: readonly string[];
  /** The names from the top to the node. */
  readonly path: readonly string[];
  /** None below a leaf. */
  readonly children: readonly Branch[];
}

/** The branch above all nodes: it has no name, and as its children the root, or the nodes of a flat list. */
export function branchOf(nodes: readonly TaxonomyNode[]): Branch {
  const above = { code: "", name: "", definition: "", aliases: [], examples: [], path: [] };
  const byParent = Map.groupBy(nodes, ({ parent }) => parent ?? null);
  const top: Branch & { children: Branch[] } = { ...above, children: [] };
  const pending: [parent: string | null, branch: { path: readonly string[]; children: Branch[] }][] = [[null, top]];
  for (const [parent, branch] of pending) {
    for (const { code, name, definition = "", aliases = [], examples = [] } of byParent.get(parent) ?? []) {
      const path = Object.freeze([...branch.path, name]);
      const child = { code, name, definition, aliases, examples, path, children: [] };
      branch.children.push(child);
      pending.push([code, child]);
    }
  }
  return top;
}

/** The leaves below a branch, in the order of the tree. */
export function leavesOf(branch: Branch): readonly Branch[] {
  const found: Branch[] = [];
  const pending = [...branch.children].toReversed();
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    if (next.children.length === 0) found.push(next);
    else pending.push(...next.children.toReversed());
  }
  return found;
}
