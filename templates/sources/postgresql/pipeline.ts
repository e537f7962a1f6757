import { ClassifierStep, Pipeline, SummarizerStep } from "llm-etl";
import { PostgreSQLSink } from "llm-etl/sinks/postgresql";
import { PostgreSQLSource } from "llm-etl/sources/postgresql";
import { z } from "zod";
import provider from "./provider.ts";

// A row of the query's result. One that does not fit fails alone, with the reason in the dead letter file.
const Encounter = z.object({
  encounter_id: z.string(),
  department: z.string(),
  clinical_notes: z.string().nullable(),
});

// Paths are relative to the folder in which llm-etl is run.
export default new Pipeline({
  name: "patient_visit_enrichment",
  // The server is that of the environment variable DATABASE_URL.
  source: new PostgreSQLSource({
    sqlFile: "sql/get_encounters.sql",
    primaryKeyColumn: "encounter_id",
    schema: Encounter,
  }),
  llmProvider: provider,
  onRowError: "dead_letter", // one bad row stops nothing: it is kept in this file, and the next run tries it again
  deadLetterPath: "output/failed_rows.jsonl",
})
  .step(
    new ClassifierStep({
      name: "visit_classifier",
      // The definitions go into the prompt as they stand: the better they are, the better the answers.
      taxonomy: [
        { name: "Emergency", definition: "Unplanned arrival with acute symptoms, or an injury that cannot wait" },
        { name: "Routine Checkup", definition: "Preventive visit without complaints: screening, vaccination, advice" },
        { name: "Chronic Condition", definition: "Review of a long-term condition: control, medication, laboratory" },
        { name: "Mental Health", definition: "Mood, anxiety, sleep, stress: therapy session, counselling, medication" },
        { name: "After Surgery", definition: "Visit after an operation: wound healing, sutures, return to activity" },
      ],
      inputMap: {
        text: (s) => s.raw.clinical_notes, // blank: the row fails with EMPTY_INPUT, and no call is made
        context: (s) => `Department: ${s.raw.department}`,
      },
      outputKey: "visit_type",
    }),
  )
  .step(
    new SummarizerStep({
      name: "note_summarizer",
      maxSentences: 2, // checked in code: a longer summary goes back to the model with the reason
      maxCharacters: 300,
      inputMap: {
        text: (s) => s.raw.clinical_notes,
        focus: (s) => s.processed.visit_type.category, // typed: one of the five names above
      },
      outputKey: "summary",
    }),
  )
  .to(
    new PostgreSQLSink({
      targetTable: "enriched_encounters",
      mergeKeys: ["encounter_id"], // running again updates rows instead of adding them twice
      columnMap: {
        encounter_id: (s) => s.pk,
        visit_category: (s) => s.processed.visit_type.category,
        confidence: (s) => s.processed.visit_type.confidence,
        clinical_summary: (s) => s.processed.summary.text,
        processed_at: (s) => s.completedAt,
      },
    }),
  );
