import assert from "node:assert/strict";
import { test } from "node:test";
import { FirstContact } from "../../../src/llm/limits/first-contact.ts";
import { ProviderError, type Unreachable } from "../../../src/llm/provider-error.ts";

const failure = (unreachable?: Unreachable) =>
  new ProviderError("transient", "NETWORK_ERROR", "no connection", { unreachable, hint: "check baseURL" });

/** Tries again and again, each time as soon as it may: the waits, and the moment and the error at which it is enough. */
function tries(unreachable: Unreachable, contact = new FirstContact({ probeDelayMs: [5000, 30_000] })) {
  const waits: number[] = [];
  for (let nowMs = 0; nowMs < 600_000;) {
    const verdict = contact.judge(failure(unreachable), nowMs);
    if (verdict === undefined) return { waits, endedAtMs: undefined };
    if ("error" in verdict) return { waits, endedAtMs: nowMs, error: verdict.error };
    waits.push(verdict.afterMs);
    nowMs += verdict.afterMs;
  }
  return { waits, endedAtMs: Infinity };
}

test("a host that is not found is tried three times within 30 s, a port where nobody listens for a minute, a protocol once", () => {
  const host = tries("host");
  assert.deepEqual([host.waits, host.endedAtMs], [[5000, 10_000], 15_000]);
  const port = tries("port");
  assert.deepEqual([port.waits, port.endedAtMs], [[5000, 10_000, 20_000, 25_000], 60_000]);
  const protocol = tries("protocol");
  assert.deepEqual([protocol.waits, protocol.endedAtMs], [[], 0]);
  for (const { error } of [host, port, protocol]) {
    assert.deepEqual([error?.scope, error?.code, error?.facts.hint], ["run", "NETWORK_ERROR", "check baseURL"]);
  }
});

test("once the service has replied they are outages, and so is any other failure of the network", () => {
  const contact = new FirstContact({ probeDelayMs: [5000, 30_000] });
  assert.equal(contact.judge(failure(), 0), undefined);
  contact.made();
  for (const unreachable of ["host", "port", "protocol"] as const) {
    assert.deepEqual(tries(unreachable, contact), { waits: [], endedAtMs: undefined });
  }
});

test("calls that fail at the same time are one try", () => {
  const contact = new FirstContact({ probeDelayMs: [5000, 30_000] });
  for (let call = 0; call < 20; call += 1)
    assert.deepEqual(contact.judge(failure("host"), call), { afterMs: 5000 - call });
});

test("another failure begins anew", () => {
  const contact = new FirstContact({ probeDelayMs: [5000, 30_000] });
  contact.judge(failure("host"), 0);
  contact.judge(failure("host"), 5000);
  assert.deepEqual(contact.judge(failure("port"), 15_000), { afterMs: 5000 });
  assert.deepEqual(contact.judge(failure("host"), 20_000), { afterMs: 5000 });
});
