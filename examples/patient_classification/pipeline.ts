import { ClassifierStep, Pipeline, SummarizerStep } from "llm-etl";
import { SQLiteJournal } from "llm-etl/journals/sqlite";
import { MockProvider } from "llm-etl/llm/providers/mock";
import { SQLiteSink } from "llm-etl/sinks/sqlite";
import { SQLiteSource } from "llm-etl/sources/sqlite";
import { databasePath, deadLetterPath, journalPath, payloadLogPath } from "./files.ts";
import { Encounter, visitTaxonomy } from "./schemas.ts";

export default new Pipeline({
  name: "patient_visit_enrichment",
  source: new SQLiteSource({
    databasePath,
    sqlFile: new URL("./sql/get_encounters.sql", import.meta.url),
    primaryKeyColumn: "encounter_id",
    schema: Encounter,
  }),
  // Answers offline and free of charge. For a real model: new AzureOpenAIProvider() of llm-etl/llm/providers/azure-openai.
  llmProvider: new MockProvider(),
  onRowError: "dead_letter", // one bad row stops nothing: it is kept, with the reason, in this file
  deadLetterPath,
  payloadLogPath,
  journal: new SQLiteJournal({ path: journalPath }), // what was done is not done again, nor paid for again: after a crash, or in tomorrow's run
})
  .step(
    new ClassifierStep({
      name: "visit_classifier",
      taxonomy: visitTaxonomy,
      inputMap: {
        text: (s) => s.raw.clinical_notes, // NULL or blank: the row fails with EMPTY_INPUT, no call is made
        context: ({ raw }) =>
          `Department: ${raw.department}, age: ${raw.age}, known conditions: ${raw.known_conditions ?? "none"}`,
      },
      outputKey: "visit_type",
      maxInputCharacters: 8000, // charts that were copied forward can be huge: their beginning tells the kind of visit
      onTooLong: "truncate",
    }),
  )
  .step(
    new SummarizerStep({
      name: "note_summarizer",
      inputMap: {
        text: (s) => s.raw.clinical_notes,
        focus: (s) => s.processed.visit_type.category, // typed: one of the taxonomy's names
      },
      outputKey: "summary",
      maxCharacters: 300, // checked in code: a longer summary is sent back to the model with the reason
      maxSentences: 2,
      maxInputCharacters: 8000,
      onTooLong: "truncate",
    }),
  )
  .to(
    new SQLiteSink({
      databasePath,
      targetTable: "enriched_encounters",
      mergeKeys: ["encounter_id"], // running again updates rows instead of adding them twice
      columnMap: {
        encounter_id: (s) => s.pk,
        visit_category: (s) => s.processed.visit_type.category,
        confidence: (s) => s.processed.visit_type.confidence,
        clinical_summary: (s) => s.processed.summary.text,
        processed_at: (s) => s.completedAt,
        model: (s) => s.lineage.visit_type?.model,
      },
    }),
  );
