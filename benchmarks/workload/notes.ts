/** The rows: clinical notes of 0.3 to 2 KB. Row `number` of a seed is the same in every run, and needs no other row. */
import { createWriteStream } from "node:fs";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { stringify } from "csv-stringify/sync";
import { type Category, categories } from "./task.ts";

export interface Note {
  readonly id: string;
  readonly note: string;
}

const shortest = 300;
const longest = 2000;
const rowsPerChunk = 500;

/** Row 1 is the first. */
export function noteOf(number: number, seed = 1): Note {
  const draw = drawsFrom(Math.imul(seed, 0x9e3779b1) ^ Math.imul(number, 0x85ebca6b));
  const category = choose(categories, draw);
  const length = shortest + Math.floor(draw() * (longest - shortest - 160));
  const sentences = [`Encounter ${number}: ${choose(openings[category.name], draw)}`];
  let characters = sentences.join("").length;
  while (characters < length) {
    const sentence = choose(fillers, draw)(draw);
    sentences.push(sentence);
    characters += sentence.length + 1;
  }
  const middle = Math.ceil(sentences.length / 2);
  const paragraphs = [sentences.slice(0, middle), sentences.slice(middle)];
  return { id: idOf(number), note: paragraphs.map((paragraph) => paragraph.join(" ")).join("\n") };
}

/** What `numberOf` undoes. */
export function idOf(number: number): string {
  return `enc-${String(number).padStart(8, "0")}`;
}

/** Row number of an id; NaN for what is none. */
export function numberOf(id: string): number {
  return /^enc-\d{8}$/.test(id) ? Number(id.slice(4)) : Number.NaN;
}

/** Writes rows 1 to `count` as CSV, a chunk at a time. */
export async function writeNotes(path: string, count: number, seed = 1): Promise<void> {
  await pipeline(Readable.from(chunks(count, seed)), createWriteStream(path));
}

function* chunks(count: number, seed: number): Generator<string> {
  yield "id,note\n";
  for (let first = 1; first <= count; first += rowsPerChunk) {
    const size = Math.min(rowsPerChunk, count - first + 1);
    yield stringify(Array.from({ length: size }, (_, index) => noteOf(first + index, seed)));
  }
}

/** Numbers from 0 up to, not including, 1: mulberry32. */
function drawsFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

function choose<Item>(items: readonly Item[], draw: () => number): Item {
  const item = items[Math.floor(draw() * items.length)];
  if (item === undefined) throw new Error("there is nothing to choose from");
  return item;
}

/** Sentences that tell the category: they share words with its definition. */
const openings: Readonly<Record<Category["name"], readonly string[]>> = {
  Emergency: [
    "brought in by ambulance after a road accident, acute bleeding from the left arm, urgent treatment begun.",
    "sudden acute chest pain since this morning, unplanned arrival, an urgent ECG was ordered.",
    "urgent referral for trauma: a fall from a ladder, acute pain in the hip & loss of consciousness.",
  ],
  "Routine Checkup": [
    "scheduled preventive visit, screening and vaccination as planned, no complaints at all.",
    "annual routine checkup, preventive blood screening, everything as last year.",
    "planned vaccination and preventive advice; the patient feels “quite well”.",
  ],
  "Follow-up": [
    "follow-up of an earlier treatment: progress of healing reviewed, medication adjusted.",
    "reviewed the progress since the earlier operation; results discussed, therapy continued.",
    "follow-up appointment, earlier results reviewed, the dose of the medication was adjusted.",
  ],
};

/** Sentences that tell nothing, with what CSV and prompts have to escape: quotes, commas, <, letters beyond ASCII. */
const fillers: readonly ((draw: () => number) => string)[] = [
  (draw) =>
    `Blood pressure ${110 + Math.floor(40 * draw())}/${60 + Math.floor(30 * draw())} mmHg, pulse ${55 + Math.floor(50 * draw())}.`,
  (draw) => `Temperature ${(36 + 2 * draw()).toFixed(1)} °C, oxygen saturation ${92 + Math.floor(8 * draw())} %.`,
  (draw) => `Weight ${50 + Math.floor(60 * draw())} kg; BMI < ${22 + Math.floor(14 * draw())}.`,
  (draw) => `Said "it comes and goes", mostly at night, for about ${1 + Math.floor(13 * draw())} days.`,
  () => "Lives with her daughter; no tobacco, wine on Sundays.",
  () => "Allergies: penicillin (rash), otherwise none known to the family.",
  (draw) => `Haemoglobin ${(11 + 5 * draw()).toFixed(1)} g/dL, creatinine ${(0.6 + draw()).toFixed(2)} mg/dL.`,
  () => "The abdomen is soft, no tenderness, bowel sounds present in all four quadrants.",
  () => "Speaks little English, her nephew translated from Español.",
  (draw) => `Paracetamol ${draw() < 0.5 ? 500 : 1000} mg given, tolerated without nausea.`,
  () => "Lungs clear on both sides; heart sounds regular, no murmur.",
  () => "She asked for a letter to her employer, which was written & handed over.",
];
