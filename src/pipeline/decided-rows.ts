import { hash } from "node:crypto";
import type { Override } from "../contracts/journal-work.ts";
import type { ResolvedPipeline } from "./resolve.ts";

/** By primary key, a digest of what people decided on the outputs of its steps. */
export type Decisions = ReadonlyMap<string, string>;

const pageSize = 1000;

/** The decisions that the journal has for the pipeline. */
export async function decisionsIn({ name: pipeline, stores }: ResolvedPipeline): Promise<Decisions> {
  const reader = await stores.journal?.reader();
  if (reader === undefined) return new Map();
  const byKey = new Map<string, string[]>();
  try {
    for (let from: string | null | undefined; from !== null;) {
      const page = await reader.overrides.list({ pipeline, limit: pageSize, from });
      for (const decision of page.items) {
        const { pk } = decision;
        byKey.set(pk, [...(byKey.get(pk) ?? []), textOf(decision)]);
      }
      from = page.next;
    }
  } finally {
    await reader.close();
  }
  return new Map(
    [...byKey].map(([pk, texts]) => [pk, hash("sha256", texts.toSorted().join("\n"), "hex").slice(0, 12)]),
  );
}

/** The keys of the rows on which something else was decided than before: also those of which a decision was taken back. */
export function decidedSince(decisions: Decisions, before: Decisions): readonly string[] {
  const keys = new Set([...decisions.keys(), ...before.keys()]);
  return [...keys].filter((pk) => decisions.get(pk) !== before.get(pk));
}

/** The decisions as far as rows have them in the target: those of `left` are as they were before. */
export function decisionsApplied(decisions: Decisions, before: Decisions, left: ReadonlySet<string>): Decisions {
  const isLeft = ([pk]: readonly [string, string]): boolean => left.has(pk);
  return new Map([...[...decisions].filter((each) => !isLeft(each)), ...[...before].filter(isLeft)]);
}

function textOf({ step, inputHash, output }: Override): string {
  return JSON.stringify([step, inputHash, output]);
}
