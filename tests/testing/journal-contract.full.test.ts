import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import type { Journal, JournalReader, JournalSession, Page, PageRequest } from "../../src/contracts/journal.ts";
import type { JournalUpkeep } from "../../src/contracts/journal-upkeep.ts";
import type { Lease } from "../../src/contracts/journal-work.ts";
import type { RunRowFilter, TimeSlice, ValueCounts } from "../../src/contracts/run-detail.ts";
import { SQLiteJournal } from "../../src/journals/sqlite.ts";
import { journalContract } from "../../src/testing/journal-contract.ts";
import { runFacts } from "../../src/testing/journal-samples.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const folder = temporaryFolder();
let count = 0;

/** Other functions in place of some of a sound journal's, by the group that they are in. */
type Spoil<Sound> = {
  readonly [Group in keyof Sound]?: ((sound: Sound[Group], whole: Sound) => Partial<Sound[Group]>) | undefined;
};

/** Breaks a promise of a sound journal. */
interface Spoiling extends Omit<Spoil<JournalSession>, "close"> {
  readonly close?: () => Promise<void>;
  readonly reader?: Omit<Spoil<JournalReader>, "holder" | "close">;
  readonly upkeep?: Spoil<Pick<JournalUpkeep, "add" | "remove">>;
  readonly holder?: () => Promise<undefined>;
  readonly journal?: Partial<Journal>;
  /** Whether a second run gets a journal of its own. */
  readonly sharesNothing?: boolean;
}

function spoil<Sound extends object>(sound: Sound, spoiling: object): Sound {
  const spoiled = Object.entries(spoiling).map(([group, functions]) => {
    const own = sound[group as keyof Sound]; // a group of both
    return [group, { ...own, ...functions(own, sound) }];
  });
  return { ...sound, ...Object.fromEntries(spoiled) };
}

function spoiled({
  close,
  reader = {},
  upkeep = {},
  holder,
  journal: given,
  sharesNothing = false,
  ...groups
}: Spoiling): Journal {
  const path = join(folder, `${(count += 1)}.db`);
  const journal = new SQLiteJournal({ path });
  let opened = 0;
  return {
    name: journal.name,
    identity: journal.identity,
    open: async (run, signal) => {
      opened += 1;
      const own = sharesNothing ? new SQLiteJournal({ path: `${path}.${opened}` }) : journal;
      const sound = await own.open(run, signal);
      return { ...spoil(sound, groups), ...(close && { close }) };
    },
    reader: async () => {
      const sound = await journal.reader();
      return sound === undefined ? undefined : { ...spoil(sound, reader), ...(holder && { holder }) };
    },
    upkeep: async (signal) => spoil(await journal.upkeep(signal), upkeep),
    ...given,
  };
}

/** The names of the checks, of those that are meant, that a spoiled journal does not pass. */
async function failing(spoiling: Spoiling, isMeant: RegExp = /./): Promise<string[]> {
  const failures: string[] = [];
  const suite = journalContract({ create: async () => ({ journal: spoiled(spoiling) }) });
  for (const { name, check } of suite) if (isMeant.test(name)) await check().catch(() => failures.push(name));
  return failures;
}

test("a sound journal passes every check", async () => {
  assert.deepEqual(await failing({}), []);
});

test("each promise that is broken is found", async () => {
  const nothing = async (): Promise<void> => {};
  const nothingListed = async (): Promise<Page<never>> => ({ items: [], next: null });
  const broken: readonly (readonly [RegExp, Spoiling])[] = [
    [/given back as it was saved/, { answers: () => ({ find: async () => new Map() }) }],
    [/forgotten is not there/, { answers: () => ({ forget: nothing }) }],
    [/found in one look-up/, { answers: ({ find }) => ({ find: async (keys) => await find(keys.slice(0, 500)) }) }],
    [
      /NUL, emoji/,
      {
        answers: ({ save }) => ({
          save: async (key, answer) => await save(key, { ...answer, text: answer.text.toWellFormed() }),
        }),
      },
    ],
    [/by sink and primary key/, { rows: ({ find }) => ({ find: async (_, pks) => await find("sink", pks) }) }],
    [/counts as not written/, { rows: () => ({ saveFailed: nothing }) }],
    [
      /leaves that row as it was/,
      {
        rows: ({ saveFailed }) => ({
          saveFailed: async (sink, rows) =>
            await saveFailed(
              sink,
              rows.map((row) => ({ ...row, ownsKey: true })),
            ),
        }),
      },
    ],
    [
      /of others are not/,
      {
        rows: ({ forgetAll }) => ({
          forgetAll: async () => {
            await forgetAll("sink");
            await forgetAll("another");
          },
        }),
      },
    ],
    [
      /different keys/,
      {
        rows: ({ find }) => ({
          find: async (sink, pks) =>
            await find(
              sink,
              pks.map((pk) => pk.toLowerCase()),
            ),
        }),
      },
    ],
    [/opened again/, { runs: () => ({ save: nothing }) }],
    [/opened again/, { sharesNothing: true }],
    [/denied the journal/, { sharesNothing: true }],
    [
      /newest first/,
      {
        reader: {
          runs: ({ list }) => ({
            list: async (request) => {
              const { items, next } = await list(request);
              return { items: items.toReversed(), next };
            },
          }),
        },
      },
    ],
    [
      /by pipeline, by start/,
      { reader: { runs: ({ list }) => ({ list: async ({ limit, from }) => await list({ limit, from }) }) } },
    ],
    [
      /runs are given page by page/,
      { reader: { runs: ({ list }) => ({ list: async (one) => ({ ...(await list(one)), next: null }) }) } },
    ],
    [
      /was interrupted otherwise/,
      {
        reader: {
          runs: ({ list }) => ({
            list: async (request) => {
              const { items, next } = await list(request);
              const alive = items.map((run) =>
                run.status === "interrupted" ? { ...run, status: "running" as const } : run,
              );
              return { items: alive, next };
            },
          }),
        },
      },
    ],
    [/failures of a run/, { reader: { runs: () => ({ failures: nothingListed }) } }],
    [/those that are written are counted/, { reader: { rows: () => ({ writtenCount: async () => 0 }) } }],
    [/while it goes on/, { holder: async () => undefined }],
  ];
  await assertFound(broken);
});

async function assertFound(broken: readonly (readonly [RegExp, Spoiling])[]): Promise<void> {
  for (const [expected, spoiling] of broken) {
    assert.notDeepEqual(await failing(spoiling, expected), [], String(expected));
  }
}

test("each promise about runs in detail, work, decisions and leases that is broken is found", async () => {
  await assertFound([
    [/used last/, { answers: ({ findUsed }) => ({ findUsed: async (_, pks) => await findUsed("sink", pks) }) }],
    [
      /used last/,
      {
        answers: ({ saveUsed }) => ({
          saveUsed: async (sink, uses) =>
            await saveUsed(
              sink,
              uses.map(({ pk, fingerprints }) => ({ pk, fingerprints: fingerprints.toSorted() })),
            ),
        }),
      },
    ],
    [
      /stays known/,
      {
        rows: ({ forgetAll }, { answers }) => ({
          forgetAll: async (sink) => {
            await forgetAll(sink);
            await answers.saveUsed(sink, [{ pk: "1", fingerprints: [] }]);
          },
        }),
      },
    ],
    [
      /page by page, in the order/,
      { reader: { runs: ({ rows }) => ({ rows: async (_, request) => await rows("run-0", request) }) } },
    ],
    [
      /page by page, in the order/,
      { reader: { runs: ({ rows }) => ({ rows: async (...given) => ({ ...(await rows(...given)), next: null }) }) } },
    ],
    [
      /many rows of a run/,
      { runs: ({ saveRows }) => ({ saveRows: async (id, rows) => await saveRows(id, rows.slice(0, 999)) }) },
    ],
    ...(["outcome", "step", "errorCode", "category", "pk"] as const).map(
      (field) =>
        [
          /are found by end state/,
          {
            reader: {
              runs: ({ rows }: JournalReader["runs"]) => ({
                rows: async (runId: string, request: RunRowFilter & PageRequest) =>
                  await rows(runId, { ...request, [field]: undefined }),
              }),
            },
          },
        ] as const,
    ),
    [
      /as they were saved/,
      {
        runs: ({ saveRows }) => ({
          saveRows: async (id, rows) =>
            await saveRows(
              id,
              rows.filter(({ outcome }) => outcome !== "unchanged"),
            ),
        }),
      },
    ],
    [
      /attempts for a row/,
      { reader: { runs: ({ attempts }) => ({ attempts: async (_, pk, page) => await attempts("run-1", pk, page) }) } },
    ],
    [
      /attempts for a row/,
      {
        reader: {
          runs: ({ attempts }) => ({ attempts: async (id, pk, page) => await attempts(id, pk.toLowerCase(), page) }),
        },
      },
    ],
    [
      /an attempt is given back/,
      {
        runs: ({ saveAttempts }) => ({
          saveAttempts: async (id, attempts) =>
            await saveAttempts(
              id,
              attempts.map((each) => ({ ...each, issueCodes: [] })),
            ),
        }),
      },
    ],
    [/saved last of each slice/, { runs: ({ saveTimeline }) => onlyOnce("saveTimeline", saveTimeline) }],
    [/saved last of each column/, { runs: ({ saveValues }) => onlyOnce("saveValues", saveValues) }],
    [
      /taken from it/,
      {
        work: ({ addFingerprints }, { work }) => ({
          removeFingerprints: async (_, given) => await work.removeFingerprints("b", given),
          addFingerprints,
        }),
      },
    ],
    [
      /the newest first/,
      { reader: { work: ({ list }) => ({ list: async (page) => ({ ...(await list(page)), next: null }) }) } },
    ],
    [
      /fingerprints of submitted work/,
      { reader: { work: ({ fingerprints }) => ({ fingerprints: async (_, page) => await fingerprints("a", page) }) } },
    ],
    [/by pipeline and name/, { watermarks: ({ find }) => ({ find: async (_, name) => await find("visits", name) }) }],
    [
      /by its id/,
      { reader: { evaluations: ({ list }) => ({ list: async ({ limit, from }) => await list({ limit, from }) }) } },
    ],
    [
      /step and input/,
      { overrides: ({ find }) => ({ find: async (pipeline, _, hashes) => await find(pipeline, "kind", hashes) }) },
    ],
    [
      /step and input/,
      { reader: { overrides: ({ list }) => ({ list: async ({ limit, from }) => await list({ limit, from }) }) } },
    ],
    [
      /greater number/,
      { leases: ({ claim }) => ({ claim: async (...given) => withNumber(await claim(...given), 1) }) },
    ],
    [
      /greater number/,
      { leases: ({ claim }) => ({ claim: async (id, range, _, ms) => await claim(id, range, "anyone", ms) }) },
    ],
    [/goes on/, { leases: ({ renew }) => ({ renew: async (lease, ms) => await renew(lease, ms).catch(() => lease) }) }],
    [
      /goes on/,
      { leases: ({ renew }) => ({ renew: async (lease, ms) => await renew({ ...lease, progress: null }, ms) }) },
    ],
    [
      /free for others, or done/,
      { leases: ({ release }) => ({ release: async (lease) => await release(lease, false) }) },
    ],
    [/under a lease that is lost/, { leases: (_, session) => ({ under: () => session }) }],
    [/ranges of a run/, { reader: { leases: ({ list }) => ({ list: async (_, page) => await list("run-2", page) }) } }],
    [/workers of one run/, { journal: { takesWorkers: true } }],
    [/workers of one run/, workersAreRuns()],
  ]);
});

/** A function that saves what is new, and replaces nothing. */
function onlyOnce<Item extends object>(
  name: string,
  save: (runId: string, items: readonly Item[]) => Promise<void>,
): Readonly<Record<string, (runId: string, items: readonly Item[]) => Promise<void>>> {
  const saved = new Set<unknown>();
  const keyOf = (item: Item): unknown => Object.values(item)[0]?.valueOf();
  return {
    [name]: async (runId, items) => {
      const fresh = items.filter((item) => !saved.has(keyOf(item)));
      for (const item of fresh) saved.add(keyOf(item));
      await save(runId, fresh);
    },
  };
}

function withNumber(lease: Lease | undefined, number: number): Lease | undefined {
  return lease && { ...lease, number };
}

/** A journal for one process that lets a worker in as if it were the run. */
function workersAreRuns(): Spoiling {
  const journal = new SQLiteJournal({ path: join(folder, `${(count += 1)}.db`) });
  return { journal: { open: async (run, signal) => await journal.open({ ...run, role: "run" }, signal) } };
}

test("a journal that takes workers lets those of one run in together", async () => {
  let workers = 0;
  let shared: Promise<JournalSession> | undefined;
  let holder: string | undefined;
  const sound = new SQLiteJournal({ path: join(folder, `${(count += 1)}.db`) });
  const sessions: Parameters<typeof addUp>[0] = [];
  const journal: Journal = {
    name: "shared",
    identity: sound.identity,
    takesWorkers: true,
    open: async ({ role, ...run }, signal) => {
      if (role !== "worker" || (holder !== undefined && holder !== run.runId)) return await sound.open(run, signal);
      holder = run.runId;
      workers += 1;
      shared ??= sound.open(run, signal);
      const session = await shared;
      const own = { slices: new Map<number, TimeSlice>(), values: new Map<string, ValueCounts>() };
      sessions.push(own);
      return {
        ...session,
        runs: {
          ...session.runs,
          saveTimeline: async (_, slices) => slices.forEach((each) => own.slices.set(each.startedAt.getTime(), each)),
          saveValues: async (_, values) => values.forEach((each) => own.values.set(each.column, each)),
        },
        close: async () => {
          workers -= 1;
          if (workers === 0) await session.close();
        },
      };
    },
    reader: async () => {
      const reader = await sound.reader();
      return reader && { ...reader, runs: { ...reader.runs, ...addUp(sessions) } };
    },
  };
  const check = (): (() => Promise<void>) =>
    journalContract({ create: async () => ({ journal }) }).find(({ name }) => /workers of one run/.test(name))?.check ??
    assert.fail("the check is there");
  await check()();
});

/** What sessions have saved of a run, added up; enough for one slice and one column. */
function addUp(
  sessions: { readonly slices: Map<number, TimeSlice>; readonly values: Map<string, ValueCounts> }[],
): Pick<JournalReader["runs"], "timeline" | "values"> {
  const plus = (one: unknown, other: unknown): unknown => {
    if (typeof one === "number" && typeof other === "number") return one + other;
    if (one === null || typeof one !== "object" || one instanceof Date) return one;
    if (Array.isArray(one)) return one.map((each, index) => plus(each, (other as unknown[])[index]));
    return Object.fromEntries(
      Object.entries(one).map(([key, value]) => [
        key,
        key === "value" ? value : plus(value, (other as Record<string, unknown>)[key]),
      ]),
    );
  };
  return {
    timeline: async () => ({
      items: [
        sessions.flatMap(({ slices }) => [...slices.values()]).reduce((sum, each) => plus(sum, each) as TimeSlice),
      ],
      next: null,
    }),
    values: async () => ({
      items: [
        sessions.flatMap(({ values }) => [...values.values()]).reduce((sum, each) => plus(sum, each) as ValueCounts),
      ],
      next: null,
    }),
  };
}

test("a journal that forgets to save or to find anything is found, function by function", async () => {
  const sound = await new SQLiteJournal({ path: join(folder, "sound.db") }).open(
    runFacts("run-1"),
    new AbortController().signal,
  );
  await sound.close();
  const { add, remove, close } = await new SQLiteJournal({ path: join(folder, "sound.db") }).upkeep(
    new AbortController().signal,
  );
  await close();
  const reader = await new SQLiteJournal({ path: join(folder, "sound.db") }).reader();
  const functions = (groups: object): (readonly [group: string, name: string])[] =>
    Object.entries(groups).flatMap(([group, each]) => Object.keys(each).map((name) => [group, name] as const));
  const spoilings = [
    ...functions(sound).map(([group, name]) => [`${group}.${name}`, spoilingOf(group, name)] as const),
    ...functions({ add, remove }).map(
      ([group, name]) => [`upkeep: ${group}.${name}`, { upkeep: spoilingOf(group, name) } as Spoiling] as const,
    ),
    ...functions(reader ?? {}).map(
      ([group, name]) => [`reader: ${group}.${name}`, { reader: spoilingOf(group, name) } as Spoiling] as const,
    ),
  ];
  assert.ok(spoilings.length > 40, `${spoilings.length} functions`);
  const suite = (spoiling: Spoiling) => journalContract({ create: async () => ({ journal: spoiled(spoiling) }) });
  for (const [name, spoiling] of spoilings) {
    const [, words = /./] = Object.entries(wordsOf).find(([group]) => name.includes(group)) ?? [];
    const [likely, others] = [true, false].map((isLikely) =>
      suite(spoiling).filter((one) => words.test(one.name) === isLikely),
    );
    let isFound = false;
    for (const { check } of [...(likely ?? []), ...(others ?? [])]) {
      await check().catch(() => (isFound = true));
      if (isFound) break;
    }
    assert.ok(isFound, name);
  }
});

/** Words in the names of the checks that are likely to notice: they come first. */
const wordsOf: Readonly<Record<string, RegExp>> = {
  "add.": /added/,
  "remove.": /removed/,
  contents: /listed|counted/,
  work: /work|fingerprint/,
  watermarks: /watermark/,
  evaluations: /evaluation/,
  overrides: /decision/,
  children: /children/,
  leases: /lease|range|owner/,
  Used: /used/,
  attempts: /attempt/,
  Attempts: /attempt/,
  imeline: /time line/,
  alues: /value/,
  failures: /failures/,
  answers: /answer/,
  "rows.find": /rows? that|rows are/,
  rows: /row/,
};

/** In place of a function, one that does and finds nothing. */
function spoilingOf(group: string, name: string): Spoiling {
  const found = {
    list: empty,
    fingerprints: empty,
    rows: empty,
    attempts: empty,
    timeline: empty,
    values: empty,
    failures: empty,
  };
  const nothing: unknown = Object.hasOwn(found, name) ? empty : emptyResult[`${group}.${name}`];
  // Whatever it is: a group's function is replaced by one that is wrong.
  return {
    [group]: (_: object, whole: object) => ({ [name]: name === "under" ? () => whole : async () => nothing }),
  };
}

const empty: Page<never> = { items: [], next: null };

const emptyResult: Readonly<Record<string, unknown>> = {
  "answers.find": new Map(),
  "answers.findUsed": new Map(),
  "remove.partOfRun": true,
  "rows.find": new Map(),
  "rows.findFailed": new Map(),
  "rows.hasWritten": false,
  "rows.writtenCount": 0,
  "runs.hasAnswered": false,
  "runs.count": 0,
  "work.find": new Map(),
  "overrides.find": new Map(),
};
