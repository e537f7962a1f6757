import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { Pipeline } from "../../src/index.ts";
import type { StoredAnswer } from "../../src/contracts/journal.ts";
import { SQLiteJournal } from "../../src/journals/sqlite.ts";
import { MemorySource } from "../../src/testing/index.ts";
import { runFacts } from "../../src/testing/journal-samples.ts";
import type { Built, GoldenCase, Row, Sent } from "./case.ts";
import type { ServiceKind } from "./services.ts";

/** All that is frozen of a case. */
export interface Conversation {
  /** The provider's own, which is part of each key. */
  readonly fingerprint: string;
  readonly requests: readonly {
    readonly body: unknown;
    readonly answer?: string;
    /** The key of the answer in the journal; absent where the journal keeps none, for the row failed. */
    readonly key?: string;
  }[];
  /** The row as it was written; its `prompt_hash` is what the lineage tells. */
  readonly written: readonly unknown[];
  /** By error code; empty but for a case that is to fail. */
  readonly failures: Readonly<Record<string, number>>;
}

export interface Recording {
  readonly conversation: Conversation;
  readonly envelopes: readonly NonNullable<Sent["envelope"]>[];
}

/** Runs a case against a service: a whole pipeline, with a journal of its own, in which `known` answers are by their keys. */
export async function converse(
  { open }: ServiceKind,
  golden: GoldenCase,
  known: ReadonlyMap<string, StoredAnswer> = new Map(),
): Promise<Recording> {
  const folder = mkdtempSync(join(tmpdir(), "llm-etl golden "));
  const service = await open(golden.answers);
  let built: Built | undefined;
  try {
    const journalPath = join(folder, "journal.db");
    if (known.size > 0) await store(known, journalPath);
    const pipeline = new Pipeline<Row>({
      name: golden.pipelineName,
      source: new MemorySource<Row>({ rows: [golden.row], primaryKeyColumn: "id" }),
      llmProvider: service.provider,
      onRowError: "skip",
      payloadLog: "off",
      journalPath,
    });
    built = await golden.build(pipeline, folder);
    const failures = golden.isPing ? await ping(built) : await run(built);
    const isKept = !golden.isPing && Object.keys(failures).length === 0;
    const keys = isKept ? keysIn(journalPath) : [];
    if (isKept && keys.length !== service.sent.length + known.size) {
      throw new Error(`${golden.name}: ${keys.length} answers were kept of ${service.sent.length}`);
    }
    return {
      envelopes: service.sent.flatMap(({ envelope }) => envelope ?? []),
      conversation: {
        fingerprint: service.provider.fingerprint(),
        requests: service.sent.map(({ body, answer }, index) => ({
          body,
          ...(answer === undefined ? {} : { answer }),
          ...(keys[index] === undefined ? {} : { key: keys[index] }),
        })),
        written: JSON.parse(JSON.stringify(built.rows(), plain)),
        failures,
      },
    };
  } finally {
    await built?.close?.();
    await service.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

async function run({ pipeline }: Built): Promise<Conversation["failures"]> {
  const report = await pipeline.run();
  if (report.error !== null) throw report.error;
  return report.failuresByCode;
}

async function ping({ pipeline }: Built): Promise<Conversation["failures"]> {
  const { wouldRun, findings } = await pipeline.check({ ping: true });
  if (!wouldRun) throw new Error(JSON.stringify(findings));
  return {};
}

async function store(known: ReadonlyMap<string, StoredAnswer>, path: string): Promise<void> {
  const session = await new SQLiteJournal({ path }).open(runFacts("earlier"), new AbortController().signal);
  for (const [key, answer] of known) await session.answers.save(key, answer);
  await session.close();
}

/** JSON for what a transform of a schema may make. */
function plain(_: string, value: unknown): unknown {
  if (typeof value === "bigint") return `${value}n`;
  return value instanceof Set ? [...value] : value;
}

/** The keys of the answers in a journal, in the order in which these came. */
function keysIn(journalPath: string): readonly string[] {
  const database = new DatabaseSync(journalPath, { readOnly: true });
  try {
    const rows = database.prepare("SELECT hex(fingerprint) AS key FROM answers ORDER BY number").all();
    return rows.map(({ key }) => String(key).toLowerCase());
  } finally {
    database.close();
  }
}
