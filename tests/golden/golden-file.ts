import { globSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { GoldenCase, Sent } from "./case.ts";
import { converse, type Conversation } from "./conversation.ts";
import { firstRequests } from "./first-requests.ts";
import { reAsks } from "./re-asks.ts";
import { type ServiceKind, services } from "./services.ts";

/** A file of cases against one service. */
export interface GoldenFile {
  /** The path of the file in this folder. */
  readonly path: string;
  readonly service: ServiceKind;
  readonly cases: readonly GoldenCase[];
}

/** The JSON of a file. */
export interface GoldenContent {
  /** Method, path and headers, which are the same for every request; null where there is no HTTP. */
  readonly envelope: Sent["envelope"] | null;
  /** By the case's name. */
  readonly cases: Readonly<Record<string, Conversation>>;
}

const here = fileURLToPath(new URL(".", import.meta.url));

export const goldenFiles: readonly GoldenFile[] = services.flatMap((service) => {
  const { name, isFull, takesReAsks, answersByItself } = service;
  const first = firstRequests.filter(({ isForAll, answers }) => {
    return (isFull || isForAll) && !(answersByItself && answers.length > 1);
  });
  const fileName = `${name.replaceAll(" ", "-")}.json`;
  return [
    { path: `requests/${fileName}`, service, cases: first },
    ...(takesReAsks ? [{ path: `re-asks/${fileName}`, service, cases: reAsks }] : []),
  ];
});

/** The golden files that are there. */
export function filesThere(): readonly string[] {
  return globSync("{requests,re-asks}/*.json", { cwd: here }).map((path) => path.replaceAll("\\", "/"));
}

/** Runs every case of a file, and writes the file. */
export async function recordFile({ path, service, cases }: GoldenFile): Promise<void> {
  const envelopes = new Set<string>();
  const conversations: Record<string, Conversation> = {};
  for (const golden of cases) {
    const recording = await converse(service, golden);
    for (const envelope of recording.envelopes) envelopes.add(JSON.stringify(envelope));
    conversations[golden.name] = recording.conversation;
  }
  const [envelope = "null", ...others] = envelopes;
  if (others.length > 0) throw new Error(`${path}: requests differ in path or headers: ${[...envelopes].join(", ")}`);
  const content: GoldenContent = { envelope: JSON.parse(envelope), cases: conversations };
  const url = new URL(path, import.meta.url);
  mkdirSync(new URL(".", url), { recursive: true });
  writeFileSync(url, `${textOf(content)}\n`);
}

export function readGolden({ path }: GoldenFile): GoldenContent {
  return JSON.parse(readFileSync(new URL(path, import.meta.url), "utf8")); // `recordFile` wrote it
}

/** Pretty-printed JSON. The order of fields is that of the value: it is frozen, too. */
export function textOf(value: unknown): string {
  return JSON.stringify(value, null, 1);
}
