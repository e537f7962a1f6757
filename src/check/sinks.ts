import type { Destination, Sink, SinkSession } from "../contracts/sink.ts";
import type { ResolvedStep } from "../contracts/step.ts";
import { targetEmptiedError } from "../engine/change-detector.ts";
import { type ColumnLimits, columnLimits, limitsOfAll } from "../engine/column-limits.ts";
import { withinLimit } from "../engine/time-limit.ts";
import { listItems } from "../errors/name-list.ts";
import type { Findings } from "./report.ts";

export interface SinksCheck {
  /** As {@link identitiesOf} gives them. */
  readonly identities: ReadonlyMap<Sink<never>, string>;
  readonly steps: readonly ResolvedStep[];
  /** By identity, the number of rows that the journal knows to be written there. */
  readonly writtenCounts: ReadonlyMap<string, number>;
  /** The longest time that a preflight may take, in milliseconds. */
  readonly limitMs: number;
  /** The same for its end. */
  readonly closeTimeoutMs: number;
  readonly signal: AbortSignal;
}

type Limits = NonNullable<SinkSession["limits"]>;

export interface LimitsOfSinks {
  /** By sink, in their order. */
  readonly ofColumns: readonly Limits[];
  /** Those of the columns, as they hold of the steps' outputs. */
  readonly ofSteps: ColumnLimits;
}

/** The identities of the sinks that can say theirs. */
export async function identitiesOf(
  findings: Findings,
  destinations: readonly Destination[],
): Promise<ReadonlyMap<Sink<never>, string>> {
  const identities = new Map<Sink<never>, string>();
  for (const { sink, label = sink.name } of destinations) {
    const identity = await findings.tryCheck("sink", `sink ${label}`, () => sink.identity);
    if (identity !== undefined) identities.set(sink, identity);
  }
  return identities;
}

/** Opens the targets for a look, and gives what their columns say of the steps' outputs, as far as that is known. */
export async function checkSinks(
  findings: Findings,
  destinations: readonly Destination[],
  options: SinksCheck,
): Promise<LimitsOfSinks> {
  const ofColumns: Limits[] = [];
  const ofSteps: ColumnLimits[] = [];
  for (const destination of destinations) {
    const isKnown = options.identities.has(destination.sink);
    const limits = isKnown ? await checkSink(findings, destination, options) : undefined;
    ofColumns.push(limits?.ofColumns ?? {});
    if (limits !== undefined) ofSteps.push(limits.ofSteps);
  }
  return { ofColumns, ofSteps: limitsOfAll(ofSteps) };
}

async function checkSink(
  findings: Findings,
  { sink, each, label }: Destination,
  { steps, writtenCounts, limitMs, closeTimeoutMs, signal }: SinksCheck,
): Promise<{ readonly ofColumns: Limits; readonly ofSteps: ColumnLimits } | undefined> {
  const subject = `sink ${label ?? sink.name}`;
  const of = label === undefined ? "" : ` of ${label}`;
  const limit = { code: "SINK_FAILED", option: "openTimeoutMs", limitMs, signal } as const;
  const session = await findings.tryCheck("sink", subject, async () => {
    const { preflight = sink.open } = sink;
    const look = async (inTime: AbortSignal): Promise<Omit<SinkSession, "write">> =>
      await preflight({ signal: inTime });
    return await withinLimit(
      { ...limit, what: `${sink.name}: preflight` },
      look,
      async (late) => await late.close("stopped"),
    );
  });
  if (session === undefined) return undefined;
  findings.add("sink", subject, "ok", `${sink.identity} takes ${listItems(Object.keys(sink.columnMap))}`);
  try {
    const hasWritten = sink.keepsRows && (writtenCounts.get(sink.identity) ?? 0) > 0;
    if (hasWritten && each === undefined) {
      await findings.tryCheck("sink", `rows written before${of}`, async () => {
        const looking = { ...limit, what: `${sink.name}: isEmpty` };
        const isEmpty = await withinLimit(looking, async () => (await session.isEmpty?.()) ?? false);
        if (isEmpty) throw targetEmptiedError(sink);
      });
    }
    const ofColumns = session.limits ?? {};
    return await findings.tryCheck("sink", `columns${of}`, () => {
      const ofSteps = columnLimits(
        { sink, each },
        ofColumns,
        steps.map(({ step }) => step),
      );
      return { ofColumns, ofSteps };
    });
  } finally {
    const closing = {
      ...limit,
      option: "closeTimeoutMs",
      limitMs: closeTimeoutMs,
      what: `${sink.name}: close`,
    } as const;
    await findings.tryCheck("sink", subject, async () => {
      await withinLimit(closing, async () => await session.close("stopped"));
    });
  }
}
