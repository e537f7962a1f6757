import { DatabaseSync } from "node:sqlite";

/** A row of the source of the fixture `crash`. */
export interface NoteRow {
  readonly id: string;
  readonly note: string;
}

const topics = ["a lost card", "a transfer that was received twice", "the closing of an account"];

/** The text of a note, the same for the same number. */
export function noteOf(number: number): string {
  return `Customer ${number * 7919} asks about ${topics[number % topics.length]}. Nothing of it is urgent.`;
}

/** Writes a database with notes, in their order. */
export function makeSource(path: string, notes: readonly NoteRow[]): void {
  const source = new DatabaseSync(path);
  source.exec("CREATE TABLE notes (number INTEGER PRIMARY KEY, id TEXT, note TEXT); BEGIN");
  const insert = source.prepare("INSERT INTO notes VALUES (?, ?, ?)");
  for (const [index, { id, note }] of notes.entries()) insert.run(index + 1, id, note);
  source.exec("COMMIT");
  source.close();
}

/** Writes a database with an empty target. */
export function makeTarget(path: string): void {
  const target = new DatabaseSync(path);
  target.exec(`CREATE TABLE enriched (id TEXT PRIMARY KEY, category, confidence, summary, reasoning, model, prompts,
    tokens, started_at, completed_at, run_id)`);
  target.close();
}
