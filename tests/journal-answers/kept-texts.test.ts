import { deepEqual, equal, notEqual, throws } from "node:assert/strict";
import { createSecretKey, randomBytes } from "node:crypto";
import { describe, test } from "node:test";
import { KeptTexts, type Place } from "../../src/journal-answers/kept-texts.ts";
import { seal, unseal } from "../../src/journal-answers/sealed-text.ts";
import { failsWith } from "../support/error-facts.ts";
import { randomFrom } from "../support/quota-lab/random.ts";

const key = createSecretKey(randomBytes(32));
const keyed = new KeptTexts("journal", key);
const plain = new KeptTexts("journal", undefined);
const place: Place = ["answer", "a".repeat(64), "stop"];
const damaged = failsWith("JOURNAL_FAILED", { where: "journal", problem: "damaged", what: "answer" });
const mark = "\u0010";
const oddTexts = [
  ...[
    "",
    "a\0b",
    "🩺 naïve",
    "half \uD83D",
    "\uDE00 half",
    "\uFFFD",
    "\uFEFF{}",
    mark,
    `${mark}a1:QUFB${mark}`,
    `a${mark}`,
  ],
  ...[`${mark}p:${mark}`, "a1:", "\u0001[]", "x".repeat(1_000_000)],
];

/** Texts of any UTF-16 units; many of them are no valid text. */
function* anyTexts(count: number): Generator<string> {
  const draw = randomFrom(42);
  for (let index = 0; index < count; index += 1) {
    const range = [0x80, 0x20, 0xffff, 0xe000][index % 4] ?? 0;
    const from = index % 4 === 3 ? 0xd800 : 0;
    const units = Array.from({ length: Math.floor(draw() * 40) }, () => from + Math.floor(draw() * (range - from)));
    yield String.fromCharCode(...units);
  }
}

for (const [name, texts] of [
  ["encrypted", keyed],
  ["plain", plain],
] as const) {
  test(`${name}: any text is given back, with what is beside it`, () => {
    for (const text of [...oddTexts, ...anyTexts(2000)]) {
      equal(texts.fromKept(texts.toKept(text, place), place), text);
      for (const beside of ["gpt", "", `${mark}gpt`, `gpt${mark}`, text.slice(0, 9)]) {
        deepEqual(texts.fromKeptPair(texts.toKeptPair({ text, beside }, place), place), { text, beside });
      }
    }
  });
}

test("a plain text is kept as it is, and one that is plain can be read with a key", () => {
  const pair = { text: '{"category":"Card"}', beside: "gpt-4o" };
  deepEqual(plain.toKeptPair(pair, place), pair);
  for (const text of [...oddTexts, ...anyTexts(200)]) {
    equal(keyed.fromKept(plain.toKept(text, place), place), text);
    deepEqual(keyed.fromKeptPair(plain.toKeptPair({ ...pair, text }, place), place), { ...pair, text });
  }
});

test("equal texts are kept differently, and nothing of them can be seen", () => {
  const texts = Array.from({ length: 100 }, () => keyed.toKept("Emergency", place));
  equal(new Set(texts).size, 100);
  for (const text of texts) equal(text.includes("Emergency"), false);
});

describe("whatever is changed of an encrypted answer, there is an error and no answer", () => {
  const pair = { text: '{"category":"Card","why":"naïve 🩺"}', beside: "gpt-4o" };
  const kept = keyed.toKeptPair(pair, place);
  const fails = (changed: Partial<typeof kept>, at: Place = place, texts = keyed): void =>
    throws(() => texts.fromKeptPair({ ...kept, ...changed }, at), damaged);

  test("each byte, flipped in each bit", () => {
    for (const name of ["text", "beside"] as const) {
      const bytes = Buffer.from(kept[name]);
      for (let index = 0; index < bytes.length; index += 1) {
        for (let bit = 0; bit < 8; bit += 1) {
          const flipped = Buffer.from(bytes);
          flipped[index] = (bytes[index] ?? 0) ^ (1 << bit);
          fails({ [name]: flipped.toString() });
        }
      }
    }
  });

  test("cut at each place, from either end, or from both", () => {
    for (let length = 0; length < kept.text.length; length += 1) {
      fails({ text: kept.text.slice(0, length) });
      fails({ text: kept.text.slice(kept.text.length - length) });
      fails({ text: kept.text.slice(length / 2, kept.text.length - length / 2 - 1) });
    }
    for (const text of ["", mark, mark + mark, "{}", `${mark}a1:${mark}`, `${mark}b2:QUFB${mark}`]) fails({ text });
    for (let length = 0; length < kept.beside.length; length += 1) fails({ beside: kept.beside.slice(0, length) });
  });

  test("the answer to another request, another end of it, another model, another key, a text in place of it", () => {
    fails({}, ["answer", "b".repeat(64), "stop"]);
    fails({}, ["answer", "a".repeat(64), "length"]);
    fails({ beside: `${mark}gpt-4` });
    fails({ text: "{}" });
    fails({}, place, new KeptTexts("journal", createSecretKey(randomBytes(32))));
    const other = keyed.toKeptPair({ text: "{}", beside: "gpt-4o" }, ["answer", "b".repeat(64), "stop"]);
    fails(other);
  });

  test("without a key it is not read as a plain one", () => {
    throws(() => plain.fromKeptPair(kept, place), failsWith("JOURNAL_FAILED", { problem: "encrypted" }));
    throws(
      () => plain.fromKept(keyed.toKept("{}", place), place),
      failsWith("JOURNAL_FAILED", { problem: "encrypted" }),
    );
  });
});

test("no error holds the text or the key", () => {
  const kept = keyed.toKeptPair({ text: "a secret of a patient", beside: "gpt" }, place);
  try {
    keyed.fromKeptPair({ ...kept, beside: `${mark}other` }, place);
  } catch (error) {
    const said = `${JSON.stringify(error)} ${String(error)}`;
    equal(said.includes("patient") || said.includes(kept.text), false);
    return;
  }
  throw new Error("it was read");
});

test("a sealed text opens with its key and context alone", () => {
  const sealed = seal(key, "text", "context");
  equal(unseal(key, sealed, "context"), "text");
  equal(unseal(key, sealed, "contexT"), undefined);
  equal(unseal(createSecretKey(randomBytes(32)), sealed, "context"), undefined);
  notEqual(seal(key, "text", "context"), sealed);
  for (const wrong of ["", "AAAA", ` ${sealed}`, `${sealed}=`, sealed.replaceAll("+", "-"), "A".repeat(40)])
    equal(unseal(key, wrong === sealed ? "" : wrong, "context"), undefined);
});
