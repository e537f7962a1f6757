import assert from "node:assert/strict";
import { test } from "node:test";
import { scanForKeys } from "../../src/engine/primary-key.ts";
import { RowError } from "../../src/errors/llm-etl-error.ts";
import { SourceError } from "../../src/errors/source.ts";
import type { AnySource, ChangedRow, ChangeReading, ReadContext, SourceRow } from "../../src/contracts/source.ts";
import { sourceContract } from "../../src/testing/source-contract.ts";

const rows = [{ id: "1" }, { id: "2" }, { id: "3" }, { id: "4" }];
let open = 0;

async function* readRows({ signal, parameters }: ReadContext): AsyncGenerator<SourceRow> {
  if (Object.keys(parameters).length > 0) throw new SourceError("test source", "it takes no parameters");
  signal.throwIfAborted();
  open += 1;
  try {
    for (const [index, raw] of rows.entries()) {
      signal.throwIfAborted();
      yield { position: index + 1, raw };
    }
  } finally {
    open -= 1;
  }
}

const goodSource: AnySource = { name: "test", primaryKeyColumn: "id", read: readRows };

/** The good source, but that its rows pass through `change`. */
function changed(change: (row: SourceRow) => SourceRow): AnySource {
  return {
    ...goodSource,
    read: async function* (context) {
      for await (const row of readRows(context)) yield change(row);
    },
  };
}

/** The promises that the source does not keep, by name. */
async function brokenPromises(create: () => AnySource): Promise<string[]> {
  const names: string[] = [];
  for (const { name, check } of sourceContract({ create, rows, openCount: () => open })) {
    open = 0;
    await check().catch((error: unknown) => {
      assert.ok(error instanceof Error);
      names.push(name);
    });
  }
  return names;
}

const promises = {
  key: "a source has a name, and its primary key column is in every row",
  order: "rows come in the source's order, as they are, with positions from 1",
  anew: "each read begins anew",
  again: "a consumer that stops early can read again from the beginning",
  atOnce: "two reads at once do not disturb each other",
  aborted: "an aborted signal gives no row",
  abort: "reading ends soon after the signal aborts",
  count: "the count, if the source has one, is that of its rows",
  parameter: "a parameter that the source does not know is rejected, not ignored",
  found: "rows that are found by key, if the source can, are those that a read gives",
  foundParameter: "a parameter that the source does not know is rejected when rows are found by key, too",
  foundAborted: "an aborted signal finds no row",
  changesFind: "a source that can tell changes can find rows by key",
  changesAll: "changes since nothing are all rows, with positions from 1, those without a place last",
  changesOn: "changes are read on behind each settled place, in the same order",
  changesBasis: "what changes are based on is told alike each time",
  changesAborted: "an aborted signal gives no changed row",
  changesParameter: "a parameter that the source does not know is rejected when changes are read, too",
  lazy: "a read opens nothing before its first row is pulled",
  closed: "a read leaves nothing open, whether it ends, is stopped or is aborted",
  foundClosed: "finding rows opens nothing that stays open, whether it ends or is stopped",
  counted: "counting leaves nothing open",
};

test("a source that keeps every promise passes every check", async () => {
  assert.deepEqual(await brokenPromises(() => goodSource), []);
  const names = sourceContract({ create: () => goodSource, rows, openCount: () => open }).map(({ name }) => name);
  assert.deepEqual(names, Object.values(promises));
});

test("a source whose rows lack the key column fails the check that says so", async () => {
  assert.deepEqual(await brokenPromises(() => ({ ...goodSource, primaryKeyColumn: "key" })), [promises.key]);
  assert.deepEqual(await brokenPromises(() => ({ ...goodSource, name: " " })), [promises.key]);
});

test("a source that counts from 0 fails the check of positions", async () => {
  const broken = await brokenPromises(() => changed((row) => ({ ...row, position: row.position - 1 })));
  assert.deepEqual(broken, [promises.order, promises.anew, promises.again]);
});

test("a source that calls a good row bad fails", async () => {
  const broken = await brokenPromises(() =>
    changed(({ position }) => ({ position, error: new RowError("CSV_ROW_INVALID", "bad") })),
  );
  assert.ok(broken.includes(promises.order));
});

test("a source that goes on where the last read ended fails the checks of reading anew", async () => {
  const broken = await brokenPromises(() => {
    const remaining = rows.map((raw, index) => ({ position: index + 1, raw }));
    const read: AnySource["read"] = async function* (context) {
      for await (const _row of readRows(context)) {
        const row = remaining.shift();
        if (row !== undefined) yield row;
      }
    };
    return { ...goodSource, read };
  });
  assert.deepEqual(broken, [promises.anew, promises.again, promises.atOnce]);
});

test("two reads that share one cursor fail the check of reads at once", async () => {
  const broken = await brokenPromises(() => {
    let shared: AsyncGenerator<SourceRow> | undefined;
    let users = 0;
    const read: AnySource["read"] = async function* (context) {
      users += 1;
      shared ??= readRows(context);
      try {
        for (let next = await shared.next(); next.done !== true; next = await shared.next()) yield next.value;
      } finally {
        users -= 1;
        if (users === 0) {
          await shared?.return(undefined);
          shared = undefined;
        }
      }
    };
    return { ...goodSource, read };
  });
  assert.deepEqual(broken, [promises.atOnce]);
});

test("a source that does not look at the signal fails the checks of aborting", async () => {
  const never = new AbortController().signal;
  const broken = await brokenPromises(() => ({
    ...goodSource,
    read: (context) => readRows({ ...context, signal: never }),
  }));
  assert.deepEqual(broken, [promises.aborted, promises.abort]);
});

test("a source that ignores a parameter it does not know fails the check of parameters", async () => {
  const broken = await brokenPromises(() => ({
    ...goodSource,
    read: (context) => readRows({ ...context, parameters: {} }),
  }));
  assert.deepEqual(broken, [promises.parameter]);
});

test("a source that miscounts its rows, or leaves open what it counts, fails the check that says so", async () => {
  const miscounted = await brokenPromises(() => ({ ...goodSource, count: () => Promise.resolve(3) }));
  assert.deepEqual(miscounted, [promises.count]);
  const unknown = await brokenPromises(() => ({ ...goodSource, count: () => Promise.resolve(undefined) }));
  assert.deepEqual(unknown, []);
  const leftOpen = await brokenPromises(() => ({ ...goodSource, count: () => Promise.resolve((open += 1) && 4) }));
  assert.deepEqual(leftOpen, [promises.counted]);
});

test("a source that finds other rows than it reads, or finds them carelessly, fails the checks of finding", async () => {
  type Find = NonNullable<AnySource["find"]>;
  const source: AnySource = { ...goodSource };
  const finding =
    (find: Find): (() => AnySource) =>
    () => ({ ...source, find });
  const scan: Find = async (pks, context) => await Promise.resolve(scanForKeys(source, pks, context));
  assert.deepEqual(await brokenPromises(finding(scan)), []);
  assert.deepEqual(await brokenPromises(finding(async () => await Promise.resolve(undefined))), []);
  const all = finding(async (_pks, context) => await Promise.resolve(readRows(context)));
  assert.deepEqual(await brokenPromises(all), [promises.found]);
  const stale = finding(async (pks, context) => {
    const found = await scan(pks, context);
    return (async function* () {
      for await (const row of found ?? []) yield "error" in row ? row : { ...row, raw: { ...row.raw, old: true } };
    })();
  });
  assert.deepEqual(await brokenPromises(stale), [promises.found]);
  const careless = finding((pks, context) => scan(pks, { ...context, parameters: {} }));
  assert.deepEqual(await brokenPromises(careless), [promises.foundParameter]);
  const deaf = finding((pks, context) => scan(pks, { ...context, signal: new AbortController().signal }));
  assert.deepEqual(await brokenPromises(deaf), [promises.foundAborted]);
  const leaving = finding(async (pks, context) => {
    open += 1;
    return await scan(pks, context);
  });
  assert.deepEqual(await brokenPromises(leaving), [promises.foundClosed]);
});

test("a source that opens what it reads before it is asked for a row fails the check of laziness", async () => {
  const broken = await brokenPromises(() => ({
    ...goodSource,
    read: (context) => {
      open += 1;
      return (async function* () {
        try {
          yield* readRows(context);
        } finally {
          open -= 1;
        }
      })();
    },
  }));
  assert.ok(broken.includes(promises.lazy));
});

test("a source that closes only when it is read to its end fails the check of what is left open", async () => {
  const broken = await brokenPromises(() => ({
    ...goodSource,
    read: async function* (context) {
      open += 1;
      for await (const row of readRows(context)) yield row;
      open -= 1;
    },
  }));
  assert.deepEqual(broken, [promises.closed]);
});

test("what a check made is released, also when it fails", async () => {
  let released = 0;
  const source = changed((row) => ({ ...row, position: 0 }));
  const checks = sourceContract({ create: () => source, rows, release: () => void (released += 1) });
  await Promise.allSettled(checks.map(({ check }) => check()));
  assert.equal(released, checks.length);
});

test("fewer than three rows prove nothing and are rejected", () => {
  assert.throws(() => sourceContract({ create: () => goodSource, rows: rows.slice(0, 2) }), RangeError);
});

/** The good source, which can tell changes: its first row has no place, and its last one is not settled. */
function changing(given: Partial<ChangeReading> = {}): AnySource {
  const read = async function* (since: string | undefined, context: ReadContext): AsyncGenerator<ChangedRow> {
    let position = 0;
    const placed: ChangedRow[] = [];
    for await (const row of readRows(context)) {
      const place = row.position === 1 ? null : { exact: `${row.position}`, shown: null, isSettled: row.position < 4 };
      placed.push({ ...row, place });
    }
    for (const row of [...placed.slice(1), ...placed.slice(0, 1)]) {
      if (since !== undefined && row.place !== null && row.place.exact <= since) continue;
      position += 1;
      yield { ...row, position };
    }
  };
  const changes = { by: "id", basis: async () => "rows", read, ...given };
  return { ...goodSource, find: async (pks, context) => scanForKeys(goodSource, pks, context), changes };
}

/** The same, but that its changed rows pass through `change`, unless that gives none. */
function changingOtherwise(change: (row: ChangedRow, since: string | undefined) => ChangedRow | undefined): AnySource {
  const { changes } = changing();
  assert.ok(changes !== undefined);
  return changing({
    read: async function* (since, context) {
      for await (const row of changes.read(since, context)) {
        const given = change(row, since);
        if (given !== undefined) yield given;
      }
    },
  });
}

test("a source that can tell changes passes every check", async () => {
  assert.deepEqual(await brokenPromises(() => changing()), []);
});

test("a source that tells changes wrongly fails the check that says so", async () => {
  const { find: _, ...withoutFind } = changing();
  assert.deepEqual(await brokenPromises(() => withoutFind), [promises.changesFind]);
  let count = 0;
  const basis = async (): Promise<string> => `${(count += 1)}`;
  assert.deepEqual(await brokenPromises(() => changing({ basis })), [promises.changesBasis]);
  const loses = changingOtherwise((row) => (row.place === null ? undefined : row));
  assert.deepEqual(await brokenPromises(() => loses), [promises.changesAll]);
  const losesLater = changingOtherwise((row, since) => (since !== undefined && row.place === null ? undefined : row));
  assert.deepEqual(await brokenPromises(() => losesLater), [promises.changesOn]);
  const settlesLate = changingOtherwise((row) => ({
    ...row,
    place: row.place && { ...row.place, isSettled: row.place.exact === "4" },
  }));
  assert.deepEqual(await brokenPromises(() => settlesLate), [promises.changesAll]);
  const { changes } = changing();
  const context = { signal: new AbortController().signal, parameters: {} };
  const takesAll = changing({ read: (since) => changes?.read(since, context) ?? assert.fail("it has none") });
  assert.deepEqual(await brokenPromises(() => takesAll), [promises.changesAborted, promises.changesParameter]);
});
