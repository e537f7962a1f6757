import { resolve } from "node:path";
import { pathToFileURL } from "node:url";

// All that this example makes lies in output/ beside this file. LLM_ETL_EXAMPLE_OUTPUT=<folder> puts it elsewhere:
// the tests use that, so as not to touch yours.
const { LLM_ETL_EXAMPLE_OUTPUT: folder } = process.env;
const output = folder ? pathToFileURL(`${resolve(folder)}/`) : new URL("./output/", import.meta.url);

export const databasePath = new URL("encounters.db", output);
export const deadLetterPath = new URL("failed_rows.jsonl", output);
export const journalPath = new URL("journal.db", output);
export const payloadLogPath = new URL("llm_payloads.jsonl", output);
