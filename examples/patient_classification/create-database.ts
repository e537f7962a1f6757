import { mkdirSync, readFileSync, rmSync } from "node:fs";
import { dirname } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { fileURLToPath } from "node:url";
import { hardRows } from "./sample-data/hard-rows.ts";
import { composeNote, type VisitKind, visitKinds } from "./sample-data/notes.ts";
import { Random } from "./sample-data/random.ts";

export interface SampleOptions {
  /** @default 600 */
  readonly encounterCount?: number;
  /** The same seed gives the same rows. @default 20250202 */
  readonly seed?: number;
}

export interface SamplePatient {
  readonly id: string;
  readonly fullName: string;
  readonly sex: "F" | "M";
  readonly birthDate: string;
  readonly conditions: string | null;
}

export interface SampleEncounter {
  readonly id: string;
  readonly patientId: string;
  readonly date: string;
  readonly department: string;
  readonly notes: string | null;
  /** The truth that the pipeline has to find: it is not in the database. */
  readonly kind: VisitKind;
  /** What is hard about the row, for the few that are. */
  readonly hard: string | null;
}

/** Makes a SQLite database of fictional patients and their encounters. A database that is there is replaced. */
export function createDatabase(path: string | URL, options: SampleOptions = {}): void {
  const file = path instanceof URL ? fileURLToPath(path) : path;
  mkdirSync(dirname(file), { recursive: true });
  for (const suffix of ["", "-wal", "-shm"]) rmSync(file + suffix, { force: true });
  const { patients, encounters } = sampleData(options);
  const database = new DatabaseSync(file);
  try {
    database.exec(readFileSync(new URL("./sql/create_tables.sql", import.meta.url), "utf8"));
    database.exec("BEGIN");
    const addPatient = database.prepare("INSERT INTO patients VALUES (?, ?, ?, ?, ?)");
    for (const { id, fullName, sex, birthDate, conditions } of patients) {
      addPatient.run(id, fullName, sex, birthDate, conditions);
    }
    const addEncounter = database.prepare("INSERT INTO encounters VALUES (?, ?, ?, ?, ?)");
    for (const { id, patientId, date, department, notes } of encounters) {
      addEncounter.run(id, patientId, date, department, notes);
    }
    database.exec("COMMIT");
  } finally {
    database.close();
  }
}

/** The rows of that database, and the truth about them. All names and notes are made up. */
export function sampleData({ encounterCount = 600, seed = 20_250_202 }: SampleOptions = {}): {
  readonly patients: readonly SamplePatient[];
  readonly encounters: readonly SampleEncounter[];
} {
  if (encounterCount < hardRows.length) {
    throw new RangeError(`encounterCount: expected at least ${hardRows.length}, got ${encounterCount}`);
  }
  const random = new Random(seed);
  const patients = Array.from({ length: Math.ceil(encounterCount / 2.5) }, (_, index) => patient(random, index + 1));
  const mistyped: SamplePatient = { ...patient(random, patients.length + 1), birthDate: "2052-06-18" };
  const every = encounterCount / hardRows.length;
  const hardByIndex = new Map(hardRows.map((row, order) => [Math.floor((order + 0.5) * every), row]));
  const encounters = Array.from({ length: encounterCount }, (_, index): SampleEncounter => {
    const hard = hardByIndex.get(index);
    const kind = hard?.kind ?? random.pick(visitKinds);
    const { id: patientId, sex, birthDate } = hard?.birthDateMistyped ? mistyped : random.pick(patients);
    const date = isoDate(Date.UTC(2024, 0, 2) + random.below(390) * dayMs);
    const age = hard?.birthDateMistyped ? 72 : yearsBetween(birthDate, date);
    const { department, note } = composeNote(random, { kind, sex, age });
    return {
      id: `enc_${String(index + 1).padStart(5, "0")}`,
      patientId,
      date,
      department,
      notes: hard === undefined ? note : hard.spoil(note),
      kind,
      hard: hard?.name ?? null,
    };
  });
  return { patients: [...patients, mistyped], encounters };
}

const dayMs = 24 * 60 * 60 * 1000;

function patient(random: Random, number: number): SamplePatient {
  const sex = random.pick(["F", "M"] as const);
  const firstName = random.pick(sex === "F" ? femaleNames : maleNames);
  return {
    id: `pat_${String(number).padStart(4, "0")}`,
    fullName: `${firstName} ${random.pick(lastNames)}`,
    sex,
    birthDate: isoDate(Date.UTC(1933, 0, 1) + random.below(72 * 365) * dayMs),
    conditions: random.below(3) === 0 ? null : random.sample(conditions, random.between(1, 2)).join(", "),
  };
}

function yearsBetween(birthDate: string, date: string): number {
  return Math.floor((Number(date.replaceAll("-", "")) - Number(birthDate.replaceAll("-", ""))) / 10_000);
}

function isoDate(time: number): string {
  return new Date(time).toISOString().slice(0, 10);
}

const femaleNames = ["Amara", "Birgit", "Chiara", "Delphine", "Eszter", "Farida", "Gudrun", "Hana", "Ilse", "Jovana"];
const maleNames = ["Anselm", "Bogdan", "Cedric", "Dario", "Emeka", "Florian", "Goran", "Henrik", "Idris", "Jorge"];
const lastNames = [
  "Abara",
  "Brandvold",
  "Castellane",
  "Dunmore",
  "Eriksdal",
  "Fennimore",
  "Galdames",
  "Hollweg",
  "Ito",
];
const conditions = [
  "hypertension",
  "type 2 diabetes",
  "asthma",
  "osteoarthritis",
  "hypothyroidism",
  "migraine",
  "atrial fibrillation",
];
