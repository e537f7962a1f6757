/** What is asked about each row: two questions, the second about the answer to the first. */
import { z } from "zod";

export const categories = [
  { name: "Emergency", definition: "Urgent, unplanned visit for acute symptoms, an accident or trauma" },
  { name: "Routine Checkup", definition: "Scheduled preventive visit: annual checkup, screening, vaccination" },
  { name: "Follow-up", definition: "Review of an earlier treatment: progress, results, medication adjusted" },
] as const;

export type Category = (typeof categories)[number];

/** Answers as the tools that bring no steps of their own validate them: with the checks that llm-etl's steps make. */
export const Classification = z.object({
  reasoning: z.string(),
  category: z.enum(categories.map(({ name }) => name)),
  confidence: z.number().min(0).max(1),
});

export const Summary = z.object({ reasoning: z.string(), text: z.string().min(1) });

/** A row of the result. */
export interface Enriched {
  readonly id: string;
  readonly category: string;
  readonly confidence: number;
  readonly summary: string;
}

/** One of the two questions, without the row: the same bytes for every tool. */
export interface Question {
  readonly name: string;
  readonly system: string;
  /** A JSON Schema in the strict subset. */
  readonly schema: Readonly<Record<string, unknown>>;
  readonly maxOutputTokens: number;
}

export interface Questions {
  readonly classify: Question;
  readonly summarize: Question;
}

/** The user message, as llm-etl lays it out. */
export function userMessage(note: string, focus?: string): string {
  const text = `<text>\n${note.replaceAll("<", "&lt;")}\n</text>`;
  return focus === undefined ? text : `<focus>\n${focus}\n</focus>\n\n${text}`;
}
