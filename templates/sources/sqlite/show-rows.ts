// Prints the rows that the pipeline has written.
import { DatabaseSync } from "node:sqlite";

const database = new DatabaseSync("data/clinic.db", { readOnly: true });
const rows = database.prepare("SELECT * FROM enriched_encounters ORDER BY encounter_id");
for (const row of rows.iterate()) console.log(JSON.stringify(row));
database.close();
