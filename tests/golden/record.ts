/**
 * Writes the golden files of requests and re-asks anew: `npx node tests/golden/record.ts`.
 *
 * Run it on purpose only. A difference that it makes is a change of what models are sent, or of the key under which the
 * journal keeps an answer: the commit has to explain each one. See README.md.
 */
import { goldenFiles, recordFile } from "./golden-file.ts";

for (const file of goldenFiles) await recordFile(file);
