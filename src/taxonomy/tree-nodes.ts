import type { ErrorFacts } from "../errors/facts.ts";
import { TaxonomyError } from "../errors/taxonomy.ts";
import type { TaxonomyNode } from "./taxonomy.ts";

/** A node as it was given, and where. */
export interface GivenNode {
  readonly node: TaxonomyNode;
  /** Counted from 1. */
  readonly row: number;
  /** True if its `validTo` has passed. */
  readonly isOver: boolean;
}

export interface TreeRules {
  /** Names the function, for messages. */
  readonly owner: string;
  /** The places of the parts of a node, for messages: columns, or properties. */
  readonly where: { readonly code: string; readonly parent: string; readonly definition: string };
  /** The number of nodes that may have no parent, where any has one. */
  readonly roots: "one" | "several";
}

interface Tree {
  readonly nodes: readonly TaxonomyNode[];
  readonly leftOutCount: number;
}

/**
 * The nodes that are valid, with all above them: a tree, or a flat list.
 *
 * @throws {TaxonomyError} for a code twice, a parent that is not there, a circle, several roots, no leaf, and a leaf whose definition is empty
 */
export function treeNodes(given: readonly GivenNode[], rules: TreeRules): Tree {
  const valid = given.filter(({ isOver }) => !isOver);
  const byCode = requireOnce(valid, rules);
  const over = new Set(given.filter(({ isOver }) => isOver).map(({ node }) => node.code));
  requireParents(valid, { byCode, over }, rules);
  requireNoCircle(valid, byCode, rules);
  requireLevels(valid, byCode, rules);
  const kept = withoutEmptied(underValid(valid, byCode), given);
  requireOneRoot(kept, rules);
  requireLeaves(kept, given, rules);
  return { nodes: kept.map(({ node }) => node), leftOutCount: given.length - kept.length };
}

type ByCode = ReadonlyMap<string, GivenNode>;

/** No tree of categories is deeper; rows that name the row before them as their parent would be. */
const mostLevels = 100;

/** So many rows are named in an error. */
const mostNamed = 10;

type Problem = "duplicate" | "orphan" | "cycle" | "levels" | "roots" | "leaf" | "definition";

interface Fault {
  readonly rules: TreeRules;
  readonly problem: Problem;
  readonly rows: readonly GivenNode[];
}

function wrong({ rules: { owner }, problem, rows }: Fault, sentence: string, facts: ErrorFacts): TaxonomyError {
  const named = rows.slice(0, mostNamed);
  const at = named.length === 0 ? "" : ` (${named.length === 1 ? "row" : "rows"} ${rowsText(named, rows.length)})`;
  const codes = named.map(({ node }) => JSON.stringify(node.code)).join(", ");
  return new TaxonomyError(owner, `${sentence}${at}`, {
    ...(codes !== "" && { detail: `${owner}: ${sentence}${at}: ${codes}` }),
    facts: { problem, ...facts, rows: named.map(({ row }) => row), count: rows.length },
  });
}

function rowsText(named: readonly GivenNode[], count: number): string {
  const list = named.map(({ row }) => row).join(", ");
  return count > named.length ? `${list} and ${count - named.length} more` : list;
}

function requireOnce(valid: readonly GivenNode[], rules: TreeRules): ByCode {
  const byCode = new Map<string, GivenNode>();
  const again: GivenNode[] = [];
  for (const given of valid) {
    if (byCode.has(given.node.code)) again.push(given);
    else byCode.set(given.node.code, given);
  }
  const [second] = again;
  if (second === undefined) return byCode;
  throw wrong({ rules, problem: "duplicate", rows: again }, "a code is there twice", {
    where: rules.where.code,
    first: byCode.get(second.node.code)?.row,
    hint: "each node needs a code of its own; give validTo if earlier versions of a node are among the rows",
  });
}

function requireParents(
  valid: readonly GivenNode[],
  { byCode, over }: { readonly byCode: ByCode; readonly over: ReadonlySet<string> },
  rules: TreeRules,
): void {
  const orphans = valid.filter(({ node: { parent } }) => {
    return typeof parent === "string" && !byCode.has(parent) && !over.has(parent);
  });
  if (orphans.length === 0) return;
  throw wrong({ rules, problem: "orphan", rows: orphans }, "a node's parent is no code of the taxonomy", {
    where: rules.where.parent,
    hint: "add the parent, or leave out the nodes below it",
  });
}

function requireNoCircle(valid: readonly GivenNode[], byCode: ByCode, rules: TreeRules): void {
  const safe = new Set<GivenNode>();
  for (const given of valid) {
    const way = new Set<GivenNode>();
    for (let at: GivenNode | undefined = given; at !== undefined && !safe.has(at); at = parentOf(at, byCode)) {
      if (way.has(at)) {
        const circle = [...way].slice([...way].indexOf(at));
        throw wrong({ rules, problem: "cycle", rows: circle }, "nodes are above each other in a circle", {
          where: rules.where.parent,
          hint: "give one of them another parent, or none",
        });
      }
      way.add(at);
    }
    for (const at of way) safe.add(at);
  }
}

function requireLevels(valid: readonly GivenNode[], byCode: ByCode, rules: TreeRules): void {
  const deep = valid.filter((given) => {
    let levels = 0;
    for (let at: GivenNode | undefined = given; at !== undefined && levels <= mostLevels; at = parentOf(at, byCode))
      levels += 1;
    return levels > mostLevels;
  });
  if (deep.length === 0) return;
  throw wrong({ rules, problem: "levels", rows: deep }, "nodes are too deep below each other", {
    where: rules.where.parent,
    expected: `at most ${mostLevels} levels`,
    got: "more",
    hint: "name the column with the code of the node above",
  });
}

function parentOf({ node: { parent } }: GivenNode, byCode: ByCode): GivenNode | undefined {
  return typeof parent === "string" ? byCode.get(parent) : undefined;
}

/** The nodes all of whose parents are valid: what is below one that is over is over, too. */
function underValid(valid: readonly GivenNode[], byCode: ByCode): readonly GivenNode[] {
  const known = new Map<GivenNode, boolean>();
  const isUnderValid = (given: GivenNode): boolean => {
    const way: GivenNode[] = [];
    let at: GivenNode | undefined = given;
    let found: boolean | undefined;
    while (found === undefined) {
      way.push(at);
      const { parent } = at.node;
      const above: GivenNode | undefined = parentOf(at, byCode);
      if (above === undefined) found = typeof parent !== "string";
      else found = known.get(above);
      at = above ?? at;
    }
    for (const one of way) known.set(one, found);
    return found;
  };
  return valid.filter(isUnderValid);
}

/** Without groups of which everything was left out: they are no leaves. */
function withoutEmptied(kept: readonly GivenNode[], given: readonly GivenNode[]): readonly GivenNode[] {
  const groups = new Set(given.map(({ node }) => node.parent));
  let left = kept;
  for (;;) {
    const parents = new Set(left.map(({ node }) => node.parent));
    const next = left.filter(({ node: { code } }) => !groups.has(code) || parents.has(code));
    if (next.length === left.length) return left;
    left = next;
  }
}

function requireOneRoot(kept: readonly GivenNode[], rules: TreeRules): void {
  const roots = kept.filter(({ node }) => typeof node.parent !== "string");
  const isFlat = roots.length === kept.length;
  if (isFlat || roots.length === 1 || rules.roots === "several") return;
  throw wrong({ rules, problem: "roots", rows: roots }, "several nodes have no parent, and others have one", {
    where: rules.where.parent,
    expected: "one root",
    got: roots.length,
    hint: 'give them their parents, or write roots: "several" if the tree has no node above them',
  });
}

function requireLeaves(kept: readonly GivenNode[], given: readonly GivenNode[], rules: TreeRules): void {
  const groups = new Set(kept.map(({ node }) => node.parent));
  const leaves = kept.filter(({ node }) => !groups.has(node.code));
  if (leaves.length === 0) {
    const leftOut = given.length - kept.length;
    const facts = { expected: "at least one node that is valid", got: `${kept.length} of ${given.length}`, leftOut };
    throw wrong({ rules, problem: "leaf", rows: [] }, "the taxonomy has no leaf", facts);
  }
  const undefinedLeaves = leaves.filter(({ node }) => node.definition?.trim() === "");
  if (undefinedLeaves.length === 0) return;
  throw wrong({ rules, problem: "definition", rows: undefinedLeaves }, "a leaf's definition is empty", {
    where: rules.where.definition,
    hint: "write one, leave the leaf out, or classify by names alone, without definitions",
  });
}
