import { renamedOption } from "../errors/deprecation.ts";
import { deepEqual, doesNotReject, equal, notEqual, ok, rejects } from "node:assert/strict";
import { SinkDataError } from "../errors/sink.ts";
import type { ColumnValues, Sink, SinkSession } from "../contracts/sink.ts";
import type { ContractCheck } from "./base.ts";
import { groupsOf } from "./row-groups.ts";

/** A sink over a fresh, empty target with the text columns `id` (the key) and `value`. */
export interface SinkUnderTest {
  readonly sink: Sink<never>;
  /** Reads the rows of the target, in any order; called after the sink is closed. */
  readonly rowsWritten: () => Promise<readonly Readonly<Record<string, unknown>>[]>;
  /** Another sink over the same target, named in another way where there is one. */
  readonly twin?: Sink<never> | undefined;
  /** Called after each check, also after one that failed. */
  readonly release?: (() => Promise<void>) | undefined;
}

export interface SinkContractOptions {
  /** Called once for each check. */
  readonly create: () => Promise<SinkUnderTest>;
  /** True if a row replaces the one with its `id`. @default true */
  readonly keyed?: boolean | undefined;
  /** True if NULL differs from an empty text in the target. @default true */
  readonly keepsNull?: boolean | undefined;
  /** A row that the target rejects for its data, if there is one. */
  readonly rejectedRow?: ColumnValues | undefined;
  /** @deprecated Its name in 0.1; write `rejectedRow`. */
  readonly refusedRow?: ColumnValues | undefined;
}

/**
 * The promises of every sink.
 *
 * @example
 * for (const { name, check } of sinkContract({ create })) test(name, check);
 */
export function sinkContract(options: SinkContractOptions): readonly ContractCheck[] {
  const { keyed = true, keepsNull = true } = options;
  const names = [
    ["rejectedRow", options.rejectedRow],
    ["refusedRow", options.refusedRow],
  ] as const;
  const rejectedRow = renamedOption("sinkContract", ...names);
  const checks: Record<string, (target: SinkUnderTest) => Promise<void>> = {
    "an aborted signal opens nothing": opensNothingAborted,
    "a batch is written whole": writesWhole,
    "all rows of a group are written": writesGroups,
    "an empty batch writes nothing": writesNothing,
    "one batch after another is written": writesBatches,
    "quotes, line breaks, emoji and empty text survive": keepsText,
    "the sink's own check lets good rows pass": passesGoodRows,
    "two sinks over one target have one identity": hasIdentity,
    "closing twice is harmless": closesTwice,
    "a run that stopped leaves what was written where rows are kept": keepsWhatWasWritten,
    "the next run finds what was written where rows are kept": keepsRows,
    "where rows are kept, the sink tells an empty target and a row that is missing": tellsWhatIsThere,
    "a look before a run writes nothing and is in no run's way": looks,
    ...(keepsNull && { "NULL stays NULL": keepsNulls }),
    ...(keyed && { "a batch written again changes nothing": isIdempotent, "a later row replaces its key's": replaces }),
    ...(rejectedRow !== undefined && {
      "a batch with a row that is rejected is rejected whole": (target) => rejectsWhole(target, rejectedRow),
    }),
  };
  return Object.entries(checks).map(([name, check]) => ({ name, check: () => withTarget(options, check) }));
}

async function withTarget(
  { create }: SinkContractOptions,
  check: (target: SinkUnderTest) => Promise<void>,
): Promise<void> {
  const target = await create();
  try {
    await check(target);
  } finally {
    await target.release?.();
  }
}

const someRows = [
  { id: "1", value: "one" },
  { id: "2", value: "two" },
  { id: "3", value: "three" },
];

async function opensNothingAborted({ sink }: SinkUnderTest): Promise<void> {
  await rejects(async () => {
    const session = await sink.open({ signal: AbortSignal.abort() });
    await session.close("stopped");
  }, "open went on although its signal was aborted");
}

async function writesWhole(target: SinkUnderTest): Promise<void> {
  await run(target.sink, [someRows]);
  await expectRows(target, someRows);
}

async function writesGroups(target: SinkUnderTest): Promise<void> {
  const [first = {}, ...others] = someRows;
  await inSession(target.sink, async (session) => {
    await session.write([
      { pk: "1", rows: [first] },
      { pk: "2", rows: others },
      { pk: "3", rows: [] },
    ]);
  });
  await expectRows(target, someRows);
}

async function writesNothing(target: SinkUnderTest): Promise<void> {
  await run(target.sink, [[]]);
  await expectRows(target, []);
}

async function writesBatches(target: SinkUnderTest): Promise<void> {
  await run(
    target.sink,
    someRows.map((row) => [row]),
  );
  await expectRows(target, someRows);
}

async function keepsText(target: SinkUnderTest): Promise<void> {
  const texts = [
    "",
    " ",
    `'"\`[];--`,
    "line\nbreak\r\nand\ttab",
    "😀 e\u0301 日本語",
    "=1+1",
    "NULL",
    "\\N",
    "a,b;c|d",
  ];
  const rows = texts.map((value, index) => ({ id: `row ${index}`, value }));
  await run(target.sink, [rows]);
  await expectRows(target, rows);
}

async function keepsNulls(target: SinkUnderTest): Promise<void> {
  const rows = [
    { id: "1", value: null },
    { id: "2", value: "" },
  ];
  await run(target.sink, [rows]);
  await expectRows(target, rows);
}

async function passesGoodRows({ sink }: SinkUnderTest): Promise<void> {
  await inSession(sink, async (session) => {
    for (const row of someRows) deepEqual(session.check?.(row) ?? [], [], "check rejected a row that the target holds");
  });
}

async function hasIdentity({ sink, twin }: SinkUnderTest): Promise<void> {
  notEqual(sink.identity, "", "identity is empty");
  if (twin !== undefined) equal(twin.identity, sink.identity);
}

async function closesTwice(target: SinkUnderTest): Promise<void> {
  const session = await target.sink.open({ signal: new AbortController().signal });
  await session.write(groupsOf(someRows));
  await session.close("completed");
  await doesNotReject(session.close("completed"));
  await expectRows(target, someRows);
}

async function keepsWhatWasWritten(target: SinkUnderTest): Promise<void> {
  if (!target.sink.keepsRows) return;
  const session = await target.sink.open({ signal: new AbortController().signal });
  await session.write(groupsOf(someRows));
  await session.close("stopped");
  await expectRows(target, someRows);
}

async function keepsRows(target: SinkUnderTest): Promise<void> {
  const later = [{ id: "4", value: "four" }];
  await run(target.sink, [someRows]);
  await run(target.sink, [later]);
  await expectRows(target, target.sink.keepsRows ? [...someRows, ...later] : later);
}

async function tellsWhatIsThere({ sink }: SinkUnderTest): Promise<void> {
  if (!sink.keepsRows) return;
  const [first = {}] = someRows;
  await inSession(sink, async ({ isEmpty, holds }) => {
    equal((await isEmpty?.()) ?? true, true, "an empty target is not called empty");
    equal((await holds?.(first)) ?? false, false, "a row is said to be in an empty target");
  });
  await run(sink, [someRows]);
  await inSession(sink, async ({ isEmpty, holds }) => {
    equal((await isEmpty?.()) ?? false, false, "a target with rows is called empty");
    equal((await holds?.(first)) ?? true, true, "a row that was written is not found");
  });
}

async function looks(target: SinkUnderTest): Promise<void> {
  const session = await target.sink.preflight?.({ signal: new AbortController().signal });
  await session?.close("stopped");
  await expectRows(target, []);
  await run(target.sink, [someRows]);
  await expectRows(target, someRows);
}

async function isIdempotent(target: SinkUnderTest): Promise<void> {
  await run(target.sink, [someRows, someRows]);
  await expectRows(target, someRows);
}

async function replaces(target: SinkUnderTest): Promise<void> {
  await run(target.sink, [someRows, [{ id: "2", value: "two, again" }]]);
  await expectRows(
    target,
    someRows.map((row) => (row.id === "2" ? { id: "2", value: "two, again" } : row)),
  );
}

async function rejectsWhole(target: SinkUnderTest, rejectedRow: ColumnValues): Promise<void> {
  await inSession(target.sink, async (session) => {
    await rejects(
      session.write(groupsOf([...someRows, rejectedRow])),
      (error) => error instanceof SinkDataError,
      "expected a SinkDataError for the row that the target rejects",
    );
  });
  await expectRows(target, []);
}

/** As the engine does it, but that a row's check is left to a check of its own. */
async function run(sink: Sink<never>, batches: readonly (readonly ColumnValues[])[]): Promise<void> {
  await inSession(sink, async (session) => {
    for (const batch of batches) await session.write(groupsOf(batch));
  });
}

async function inSession(sink: Sink<never>, use: (session: SinkSession) => Promise<void>): Promise<void> {
  const session = await sink.open({ signal: new AbortController().signal });
  let outcome: "completed" | "stopped" = "stopped";
  try {
    await use(session);
    outcome = "completed";
  } finally {
    await session.close(outcome);
  }
}

async function expectRows({ rowsWritten }: SinkUnderTest, expected: readonly ColumnValues[]): Promise<void> {
  const written = await rowsWritten();
  ok(Array.isArray(written), "rowsWritten must give an array");
  deepEqual(inOrder(written), inOrder(expected));
}

function inOrder(rows: readonly ColumnValues[]): unknown[][] {
  return rows
    .map(({ id, value }) => [id, value])
    .toSorted(([left], [right]) => String(left).localeCompare(String(right), "en"));
}
