/** Measures the CPU that `answers: "encrypted"` costs. Usage: node benchmarks/encryption.ts */
import { createSecretKey, randomBytes } from "node:crypto";
import { KeptTexts, type Place } from "../src/journal-answers/kept-texts.ts";

const place: Place = ["answer", "a".repeat(64), "stop"];
const pair = { text: JSON.stringify({ text: "A patient of forty years. ".repeat(39) }), beside: "gpt-4o" };
const count = 50_000;

function microseconds(work: () => void): string {
  const before = process.cpuUsage();
  for (let index = 0; index < count; index += 1) work();
  const { user, system } = process.cpuUsage(before);
  return ((user + system) / count).toFixed(2);
}

for (const [name, key] of [
  ["plain", undefined],
  ["encrypted", createSecretKey(randomBytes(32))],
] as const) {
  const texts = new KeptTexts("journal", key);
  const kept = texts.toKeptPair(pair, place);
  for (let round = 1; round <= 3; round += 1) {
    const [save, find] = [() => texts.toKeptPair(pair, place), () => texts.fromKeptPair(kept, place)].map(microseconds);
    console.log(
      `${name}, round ${round}: ${save} µs to save, ${find} µs to find, ${pair.text.length} → ${kept.text.length} characters`,
    );
  }
}
