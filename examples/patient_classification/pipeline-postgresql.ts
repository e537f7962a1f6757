import { ClassifierStep, Pipeline, SummarizerStep } from "llm-etl";
import { PostgreSQLJournal } from "llm-etl/journals/postgresql";
import { AzureOpenAIProvider } from "llm-etl/llm/providers/azure-openai";
import { MockProvider } from "llm-etl/llm/providers/mock";
import { PostgreSQLSink } from "llm-etl/sinks/postgresql";
import { PostgreSQLSource } from "llm-etl/sources/postgresql";
import { z } from "zod";
import { visitTaxonomy } from "./schemas.ts";

const Encounter = z.object({
  encounter_id: z.string(),
  clinical_notes: z.string().nullable(),
  department: z.string(),
});

// Without a model of yours the mock answers, offline and free of charge.
const { AZURE_OPENAI_ENDPOINT: endpoint } = process.env;

export default new Pipeline({
  name: "patient_visit_enrichment",
  source: new PostgreSQLSource({
    sqlFile: new URL("./postgresql/get_encounters.sql", import.meta.url), // the server is that of DATABASE_URL
    primaryKeyColumn: "encounter_id",
    schema: Encounter,
  }),
  llmProvider: endpoint === undefined ? new MockProvider() : new AzureOpenAIProvider(),
  journal: new PostgreSQLJournal(), // in the same database: `llm-etl sql create-journal` prints its tables
  onRowError: "dead_letter",
  deadLetterPath: "output/failed_rows.jsonl", // like the payload log, below the working directory
})
  .step(
    new ClassifierStep({
      name: "visit_classifier",
      taxonomy: visitTaxonomy,
      inputMap: {
        text: (s) => s.raw.clinical_notes,
        context: (s) => `Department: ${s.raw.department}`,
      },
      outputKey: "visit_type",
    }),
  )
  .step(
    new SummarizerStep({
      name: "note_summarizer",
      inputMap: {
        text: (s) => s.raw.clinical_notes,
        focus: (s) => s.processed.visit_type.category,
      },
      outputKey: "summary",
    }),
  )
  .to(
    new PostgreSQLSink({
      targetTable: "enriched_encounters",
      mergeKeys: ["encounter_id"],
      columnMap: {
        encounter_id: (s) => s.pk,
        visit_category: (s) => s.processed.visit_type.category, // an enum type: a name that it lacks is found before the first row
        confidence: (s) => s.processed.visit_type.confidence,
        clinical_summary: (s) => s.processed.summary.text, // at most 500 characters: the column says so, and the model is told
        processed_at: (s) => s.completedAt,
      },
    }),
  );
