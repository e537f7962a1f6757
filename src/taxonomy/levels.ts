import type { Asking } from "../contracts/step.ts";
import type { Branch } from "./taxonomy.ts";

/** So many ways down a tree are followed at a time. */
export const beam = 2;

/** All nodes with several below them: each has a question. */
export function questionedIn(top: Branch): readonly Branch[] {
  const found: Branch[] = [];
  for (let level = [throughOnly(top)].filter(isQuestioned); level.length > 0; level = level.flatMap(openBelow)) {
    found.push(...level);
  }
  return found;
}

/** True if a node's choices lead to further questions: the second best may then be the better one. */
export function hasFurther(at: Branch): boolean {
  return openBelow(at).length > 0;
}

/** The fewest and the most calls of a row. `mayEnd`: the first answer may be that none fits. */
export function callsIn(top: Branch, mayEnd: boolean): Asking["calls"] {
  let most = 0;
  const start = throughOnly(top);
  for (let level = [start].filter(isQuestioned); level.length > 0; level = level.flatMap(openBelow)) {
    most += Math.min(beam, level.length);
  }
  return { least: mayEnd ? Math.min(1, most) : leastCalls(start), most };
}

function leastCalls(start: Branch): number {
  let count = 0;
  for (let level = [start]; level.every(isQuestioned); level = level.flatMap((at) => at.children.map(throughOnly))) {
    count += 1;
  }
  return count;
}

function openBelow(at: Branch): Branch[] {
  return at.children.map(throughOnly).filter(isQuestioned);
}

function isQuestioned(at: Branch): boolean {
  return at.children.length > 0;
}

/** The first node from here on that has several below it, or none. */
export function throughOnly(branch: Branch): Branch {
  let at = branch;
  for (let [only] = at.children; only !== undefined && at.children.length === 1; [only] = at.children) at = only;
  return at;
}
