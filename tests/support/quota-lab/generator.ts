import { Dice } from "./dice.ts";
import { constant, type Draw, lognormal, randomFrom } from "./random.ts";
import {
  bucket,
  capped,
  fixedWindow,
  free,
  type MakeService,
  slidingWindow,
  slots,
  sporadic,
  twoBuckets,
} from "./services.ts";
import type { Workload } from "./simulation.ts";
import { mixed, type Tell, type TellName, tells } from "./tells.ts";

export interface GeneratedService extends Workload {
  readonly seed: number;
  readonly name: string;
  /** The time that a client with perfect knowledge would need, in milliseconds, without the latency of the last call. */
  readonly idealMs: number;
  /** The share of calls that is answered with a 429 whatever their pace. */
  readonly sporadicShare: number;
}

/** How often each kind comes up, by how often it stands here. */
const kinds = [
  ...["bucket", "bucket", "bucket", "sporadicBucket", "tokens", "window", "window", "sliding"],
  ...["capped", "sporadic", "changes", "taken", "slots"],
] as const;

const tellNames = ["exact", "atLeastSecond", "wholeSeconds", "nothing", "zero"] as const;

/** The shares of services that differ from the plain ones: two quotas, slow rejections, tells of mixed forms, calls of any size. */
const twoQuotasShare = 1 / 12;
const slowRejectionsShare = 1 / 4;
const mixedTellsShare = 1 / 4;
const anySizeShare = 1 / 3;

/** What all kinds draw. Rates are in calls a second. */
interface Frame {
  readonly seed: number;
  readonly dice: Dice;
  readonly varied: Dice;
  readonly concurrency: number;
  readonly medianMs: number;
  /** The mean latency. */
  readonly meanMs: number;
  readonly latency: Draw;
  /** What the rows would send without any limit. */
  readonly demand: number;
  readonly rate: number;
  readonly burst: number;
  readonly seconds: number;
  readonly calls: number;
  readonly tell: Tell;
  readonly rejectionMs: Draw;
  readonly words: string;
}

/** What one kind adds to its frame. */
interface Made {
  readonly words: string;
  readonly calls?: number;
  readonly tokens?: Draw;
  readonly idealMs: number;
  readonly sporadicShare?: number;
  readonly service: MakeService;
}

/**
 * A random service, the same for the same seed. One seed draws the plain service and another stream what is varied in it, so
 * that more variety leaves the plain services as they are.
 */
export function generateService(seed: number): GeneratedService {
  const dice = new Dice(randomFrom(seed * 7919 + 13));
  const varied = new Dice(randomFrom(seed * 7919 + 6007));
  const drawn = dice.pick(kinds);
  const frame = makeFrame(seed, dice, varied);
  const kind = varied.random() < twoQuotasShare ? "twoQuotas" : drawn;
  const made = makers[kind](frame);
  if (made === undefined) return generateService(seed + 1000);
  const { words, sporadicShare = 0, calls = frame.calls, ...rest } = made;
  const size = varied.random() < anySizeShare ? { tokens: tokensOfCalls } : {};
  const tokens = rest.tokens ?? size.tokens;
  const name = `${kind} ${words}, ${calls} calls${tokens === undefined ? "" : " of any size"}, ${frame.words}`;
  return { seed, name, calls, concurrency: frame.concurrency, sporadicShare, ...size, ...rest };
}

function makeFrame(seed: number, dice: Dice, varied: Dice): Frame {
  const tellName = dice.pick(tellNames);
  const medianMs = dice.between(30, 8000);
  const sigma = dice.pick([0, 0.3, 0.7]);
  const meanMs = medianMs * Math.exp(sigma ** 2 / 2);
  const concurrency = Math.round(dice.between(8, 400));
  const demand = (concurrency * 1000) / meanMs;
  const plainRejectionMs = dice.pick([2, 5, 20, 120]);
  const rate = Math.max(0.5, demand * dice.between(0.05, 0.95));
  const seconds = dice.between(60, 300);
  const calls = boundedCalls(rate * seconds);
  const burst = Math.max(1, rate * dice.between(0.1, 15));
  const rejections = varyRejections(varied, plainRejectionMs);
  const forms = varyTells(varied, tellName);
  const rates = `demand ${demand.toFixed(1)}/s of ${concurrency} in flight at ${medianMs.toFixed(0)} ms ~ ${sigma}`;
  return {
    ...{ seed, dice, varied, concurrency, medianMs, meanMs, demand, rate, burst, seconds, calls },
    latency: sigma === 0 ? constant(medianMs) : lognormal(medianMs, sigma),
    tell: mixed(forms.map((form) => tells[form])),
    rejectionMs: rejections.draw,
    words: `${rates}, rejects in ${rejections.words} ms, tells ${forms.join("/")}`,
  };
}

/** Most services reject at once; some take seconds for it, now more and now less. */
function varyRejections(varied: Dice, plainMs: number): { readonly draw: Draw; readonly words: string } {
  const isSlow = varied.random() < slowRejectionsShare;
  const medianMs = varied.between(2, 3000);
  if (!isSlow) return { draw: constant(plainMs), words: String(plainMs) };
  return { draw: lognormal(medianMs, 0.5), words: `${medianMs.toFixed(0)} ~ 0.5` };
}

function varyTells(varied: Dice, plain: TellName): readonly TellName[] {
  const isMixed = varied.random() < mixedTellsShare;
  const others = [varied.pick([...tellNames, "cutSeconds"] as const), varied.pick(tellNames)];
  return isMixed ? [...new Set([plain, ...others])] : [plain];
}

function boundedCalls(calls: number): number {
  return Math.max(100, Math.min(20_000, Math.round(calls)));
}

/** The demand bounds every service: no client has more calls in flight than rows at work. */
function demandMs({ demand, calls }: Pick<Frame, "demand" | "calls">): number {
  return (calls * 1000) / demand;
}

/** A full bucket lets its burst through at once, and the rest as it fills. */
function bucketMs(frame: Frame, rate: number, burst: number): number {
  return Math.max(demandMs(frame), ((frame.calls - burst) * 1000) / rate);
}

function rateWords({ rate, burst }: Frame): string {
  return `${rate.toFixed(2)}/s burst ${burst.toFixed(1)}`;
}

/** The mean of the tokens is `1500 * exp(0.6 ** 2 / 2)`. */
const tokensOfCalls = lognormal(1500, 0.6);
const meanTokens = 1500 * Math.exp(0.18);

const makers: Readonly<Record<(typeof kinds)[number] | "twoQuotas", (frame: Frame) => Made | undefined>> = {
  bucket: (frame) => ({
    words: rateWords(frame),
    idealMs: bucketMs(frame, frame.rate, frame.burst),
    service: bucket({ ...frame, perSecond: frame.rate }),
  }),

  /** The ideal leaves out what the faults cost. */
  sporadicBucket: (frame) => {
    const share = frame.dice.between(0.005, 0.1);
    const tell = frame.dice.pick([() => 200, () => 1000, tells.nothing]);
    const inner = bucket({ ...frame, perSecond: frame.rate });
    return {
      words: `${rateWords(frame)}, ${(100 * share).toFixed(1)} % 429`,
      idealMs: bucketMs(frame, frame.rate, frame.burst),
      sporadicShare: share,
      service: sporadic({ p429: share, p500: share / 2, tell, inner }),
    };
  },

  /** As of a bucket of calls of the mean size. */
  tokens: (frame) => ({
    words: `${rateWords(frame)} of mean calls`,
    tokens: tokensOfCalls,
    idealMs: bucketMs(frame, frame.rate, frame.burst),
    service: bucket({
      ...frame,
      perSecond: frame.rate * meanTokens,
      burst: Math.max(frame.burst, 5) * 1500,
      cost: ({ tokens }) => tokens,
    }),
  }),

  /** The tighter of the two buckets decides, as if it were alone. */
  twoQuotas: (frame) => {
    const tokenRate = frame.rate * frame.varied.between(0.6, 1.6);
    const tokenBurst = Math.max(5, tokenRate * frame.varied.between(0.1, 15));
    const requests = { ...frame, perSecond: frame.rate };
    const tokens = { ...frame, perSecond: tokenRate * meanTokens, burst: tokenBurst * meanTokens };
    return {
      words: `${rateWords(frame)}, tokens of ${tokenRate.toFixed(2)}/s burst ${tokenBurst.toFixed(1)} mean calls`,
      tokens: tokensOfCalls,
      idealMs: Math.max(bucketMs(frame, frame.rate, frame.burst), bucketMs(frame, tokenRate, tokenBurst)),
      service: twoBuckets(requests, { ...tokens, cost: (call) => call.tokens }),
    };
  },

  /** All windows but the last are used up; the calls of the last go as fast as the rows ask. */
  window: (frame) => {
    const { rate, calls, demand } = frame;
    const windowMs = frame.dice.pick([1000, 5000, 10_000, 60_000]);
    const perWindow = Math.max(1, Math.round((rate * windowMs) / 1000));
    const fullCount = Math.ceil(calls / perWindow) - 1;
    const fastest = Math.max(demand, (perWindow * 1000) / windowMs);
    const windowsMs = fullCount * windowMs + ((calls - fullCount * perWindow) * 1000) / fastest;
    return {
      words: `${perWindow} in ${windowMs} ms`,
      idealMs: Math.max(demandMs(frame), windowsMs),
      service: fixedWindow({ ...frame, calls: perWindow, windowMs }),
    };
  },

  /** All windows but the last are used up, and the calls of the last go at once. */
  sliding: (frame) => {
    const windowMs = frame.dice.pick([1000, 10_000, 60_000]);
    const perWindow = Math.max(1, Math.round((frame.rate * windowMs) / 1000));
    const fullCount = Math.ceil(frame.calls / perWindow) - 1;
    return {
      words: `${perWindow} in ${windowMs} ms`,
      idealMs: Math.max(demandMs(frame), fullCount * windowMs),
      service: slidingWindow({ ...frame, calls: perWindow, windowMs }),
    };
  },

  /** As many calls as the service takes are in flight all the time, each for the mean latency. */
  capped: (frame) => {
    const { concurrency, meanMs, seconds } = frame;
    const cap = Math.max(1, Math.round(concurrency * frame.dice.between(0.1, 0.9)));
    const calls = boundedCalls(((cap * 1000) / meanMs) * seconds);
    const idealMs = (calls * meanMs) / cap;
    return { words: `${cap} at a time`, calls, idealMs, service: capped({ ...frame, cap }) };
  },

  /** Each row waits for itself after a rejection, as long as it is told; 500 ms where it is told nothing. */
  sporadic: (frame) => {
    const { demand, meanMs, concurrency, latency } = frame;
    const share = frame.dice.between(0.005, 0.15);
    const { waitMs } = frame.dice.pick<{ readonly waitMs: number | undefined }>([
      { waitMs: 200 },
      { waitMs: 1000 },
      { waitMs: undefined },
    ]);
    const calls = boundedCalls(demand * 60);
    return {
      words: `${(100 * share).toFixed(1)} % 429 that tell ${waitMs ?? "no"} ms`,
      calls,
      idealMs: (calls * (meanMs + (share / (1 - share)) * (waitMs ?? 500))) / concurrency,
      sporadicShare: share,
      service: sporadic({ p429: share, tell: () => waitMs, inner: free({ latency }) }),
    };
  },

  /** All that the first quota lets through in its time, and the rest at the second one. */
  changes: (frame) => {
    const { rate, burst, demand, seconds } = frame;
    const changeMs = 20_000;
    const nextRate = Math.min(rate * frame.dice.between(0.2, 3), demand);
    const before = burst + (rate * changeMs) / 1000;
    const calls = Math.round(before + nextRate * seconds * 0.5);
    if (calls > 30_000 || calls < 100) return undefined;
    const changes = [[0, rate] as const, [changeMs, nextRate] as const];
    return {
      words: `${rateWords(frame)}, then ${nextRate.toFixed(2)}/s`,
      calls,
      idealMs: Math.max(demandMs({ demand, calls }), changeMs + ((calls - before) * 1000) / nextRate),
      service: bucket({ ...frame, perSecond: rate, changes }),
    };
  },

  /** As of a bucket that fills with what the other client leaves. */
  taken: (frame) => ({
    words: `${rateWords(frame)}, of which another client takes 40 %`,
    idealMs: bucketMs(frame, frame.rate * 0.6, frame.burst),
    service: bucket({ ...frame, perSecond: frame.rate, taken: 0.4 }),
  }),

  /** All slots work all the time, each call for the mean of their own latency. */
  slots: (frame) => {
    const count = frame.dice.pick([1, 2, 4, 8]);
    const slotMs = frame.dice.between(1000, 12_000);
    const calls = Math.round((count * 300_000) / slotMs);
    return {
      words: `${count} of ${slotMs.toFixed(0)} ms`,
      calls,
      idealMs: (calls * slotMs * Math.exp(0.045)) / count,
      service: slots({ count, latency: lognormal(slotMs, 0.3) }),
    };
  },
};
