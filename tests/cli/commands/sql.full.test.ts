import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { type Outcome, commandLine } from "../../support/terminal.ts";

const pathOf = (relative: string): string => fileURLToPath(new URL(relative, import.meta.url));
const createTable = async (...words: string[]): Promise<Outcome> => commandLine(["sql", "create-table", ...words]);

const tableForSQLServer = `CREATE TABLE [dbo].[enriched_encounters] (
  [encounter_id] NVARCHAR(450) NOT NULL, -- a key has at most 900 bytes: make sure that this is wide enough
  [visit_category] NVARCHAR(50) NOT NULL,
  [confidence] DECIMAL(5,4) NOT NULL,
  [clinical_summary] NVARCHAR(300) NOT NULL,
  [processed_at] DATETIME2(3) NOT NULL, -- UTC
  [model] NVARCHAR(200) NULL,
  CONSTRAINT [PK_enriched_encounters] PRIMARY KEY ([encounter_id])
);

CREATE INDEX [IX_enriched_encounters_processed_at] ON [dbo].[enriched_encounters] ([processed_at]);
`;

test("the example's table, in its own database and for SQL Server", async () => {
  const isBuilt = existsSync(pathOf("../../../dist/index.js"));
  assert.ok(isBuilt, "dist/ is not there, and the example imports it: run `npm run build` first");
  const example = pathOf("../../../examples/patient_classification/pipeline.ts");
  const own = await createTable(example);
  assert.equal(
    own.stdout,
    `CREATE TABLE "enriched_encounters" (
  "encounter_id" TEXT NOT NULL,
  "visit_category" TEXT NOT NULL,
  "confidence" REAL NOT NULL,
  "clinical_summary" TEXT NOT NULL CHECK (length("clinical_summary") <= 300),
  "processed_at" TEXT NOT NULL, -- ISO 8601
  "model" TEXT,
  CONSTRAINT "PK_enriched_encounters" PRIMARY KEY ("encounter_id")
) STRICT;

CREATE INDEX "IX_enriched_encounters_processed_at" ON "enriched_encounters" ("processed_at");
`,
    own.stderr,
  );
  const { stdout } = await createTable(example, "--dialect", "sql-server", "--table", "dbo.enriched_encounters");
  assert.equal(stdout, tableForSQLServer);
});
