/**
 * Makes the journals of version 0.1 anew: `npx node tests/golden/record-journal.ts`.
 *
 * They were made by the code of version 0.1 and stay as they are: a later version has to read what users have. Only who
 * has 0.1 checked out may run this. See README.md.
 */
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import type { LLMProvider, LLMRequest, LLMResponse, RunnablePipeline } from "../../src/index.ts";
import { MockProvider } from "../../src/llm/providers/mock.ts";
import {
  allWritten,
  azureProvider,
  committedFolder,
  createTarget,
  type JournalName,
  moveSink,
  someFailed,
} from "./journal-pipelines.ts";
import { overHTTP } from "./services.ts";

interface NoteRow {
  readonly note: string;
  readonly channel: string | null;
}

const mock = new MockProvider();
const cities = ["Rome", "Köln", "São Paulo", "Łódź", "東京"];
const beginnings = ["The card was lost in", "Money did not arrive in", "Mein Konto ist überzogen, says a man from"];

/** The notes in brackets say what goes wrong with their answers. Every sixth note is equal to the one five before it. */
const notes: readonly NoteRow[] = Array.from({ length: 60 }, (_, index) => {
  const number = index % 6 === 5 ? index - 5 : index;
  const fault = ["", "[invalid] ", "", "[cut off] ", "[long] ", ""][Math.floor(number / 3) % 6] ?? "";
  const beginning = beginnings[number % beginnings.length];
  const end = number % 7 === 0 ? ' <b>It\'s "urgent"</b>\n🙂' : "";
  const text = `${fault}${beginning} ${cities[number % cities.length]} on day ${number}. Somebody called twice.${end}`;
  return { note: text, channel: number % 4 === 0 ? null : `phone ${number % 3}` };
});

const failingNotes: readonly NoteRow[] = [
  "A card was lost.",
  " \n",
  "[never valid] A card was stolen.",
  "[declined] Money was sent.",
  "The account is overdrawn.",
  "[filtered] Money did not arrive.",
  "[always cut off] The machine kept the card.",
  "A card was lost.",
  "",
  "[invalid] Money was sent twice.",
].map((note) => ({ note, channel: null }));

let answerCount = 0;

/** The mock's answer, but for the notes with something in brackets. */
async function answerTo(request: LLMRequest): Promise<LLMResponse> {
  const { messages, schema, lengthFactor } = request;
  const note = messages[1]?.content ?? "";
  const isFirst = messages.length === 2;
  const sample = await mock.complete(request, new AbortController().signal);
  const saying = (json: object): LLMResponse => ({ ...sample, text: JSON.stringify(json) });
  if (schema.name === "kind") {
    const isInvalid = note.includes("[invalid]") && isFirst;
    return isInvalid ? saying({ reasoning: "So.", category: "Kard", confidence: 2 }) : sample;
  }
  if (schema.name === "facts") {
    return note.includes("[cut off]") && lengthFactor !== 2
      ? { ...sample, text: '{"reasoning":', finishReason: "length" }
      : sample;
  }
  answerCount += 1;
  if (note.includes("[long]") && isFirst) return saying({ reasoning: "So.", text: "long ".repeat(20) });
  // Each of another length: an answer with the issues of the one before is not asked for again.
  if (note.includes("[never valid]")) return saying({ reasoning: "So.", text: "x".repeat(200 + answerCount) });
  if (note.includes("[declined]")) return { ...sample, text: "I can't.", finishReason: "refusal" };
  if (note.includes("[filtered]")) return { ...sample, text: "", finishReason: "content_filter" };
  if (note.includes("[always cut off]")) return { ...sample, text: '{"reasoning":', finishReason: "length" };
  return sample;
}

const scripted: LLMProvider = { name: mock.name, fingerprint: mock.fingerprint, complete: answerTo };

const Body = z.object({
  messages: z.array(z.object({ role: z.enum(["system", "user", "assistant"]), content: z.string() })),
  response_format: z.object({
    json_schema: z.object({ name: z.string(), schema: z.custom<LLMRequest["schema"]["json"]>() }),
  }),
  max_completion_tokens: z.number(),
});

/** A service over HTTP that answers as the mock does. */
const azureService = await overHTTP(azureProvider, async (body) => {
  const { messages, response_format: format, max_completion_tokens: maxOutputTokens } = Body.parse(body);
  const { name, schema: json } = format.json_schema;
  const lengthFactor = maxOutputTokens === 400 ? 2 : 1; // of the step "facts", the only one whose answers are cut off
  const request = { messages, schema: { name, json }, maxOutputTokens, lengthFactor, cacheKey: "" };
  const { text, finishReason } = await answerTo(request);
  return finishReason === "length" ? { text, cutOff: true } : text;
});

await record("all-written-mock", notes, (folder) => allWritten({ folder, llmProvider: scripted }), [30, undefined]);
await record(
  "all-written-azure",
  notes.slice(0, 30),
  (folder) => {
    return allWritten({ folder, llmProvider: azureService.provider });
  },
  [12, undefined],
);
await record("some-failed", failingNotes, (folder) => someFailed({ folder, llmProvider: scripted }), [undefined]);
await azureService.close();

/** Runs a pipeline once for each limit, in a folder that is gone afterwards, and keeps its files without that path. */
async function record(
  name: JournalName,
  rows: readonly NoteRow[],
  pipelineIn: (folder: string) => RunnablePipeline,
  limits: readonly (number | undefined)[],
): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "llm-etl-golden-"));
  try {
    createData(join(folder, "data.db"), rows);
    const pipeline = pipelineIn(folder);
    for (const limit of limits) {
      const { status, error, successCount, failuresByCode, usage } = await pipeline.run({ limit });
      console.log(name, status, error, successCount, failuresByCode, usage);
    }
    moveSink(join(folder, "journal.db"), folder, committedFolder);
    forgetMachine(join(folder, "journal.db"));
    keep(name, folder, ["journal.db", "data.db", ...(name === "some-failed" ? ["dead-letter.jsonl"] : [])]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function createData(path: string, rows: readonly NoteRow[]): void {
  createTarget(path);
  const database = new DatabaseSync(path);
  database.exec("CREATE TABLE notes (id TEXT PRIMARY KEY, note TEXT NOT NULL, channel TEXT)");
  const insert = database.prepare("INSERT INTO notes VALUES (?, ?, ?)");
  for (const [index, { note, channel }] of rows.entries()) {
    insert.run(`n${String(index + 1).padStart(2, "0")}`, note, channel);
  }
  database.close();
}

/** Takes the machine's name and paths out of the history of runs, and out of the file's free pages. */
function forgetMachine(journalPath: string): void {
  const database = new DatabaseSync(journalPath);
  const update = database.prepare("UPDATE runs SET record = ? WHERE number = ?");
  for (const { number, record } of database.prepare("SELECT number, record FROM runs").all()) {
    const own = { sink: `${committedFolder}/data.db/enriched`, processId: 4711, host: "golden" };
    update.run(JSON.stringify({ ...JSON.parse(String(record)), ...own }), Number(number));
  }
  database.exec("VACUUM");
  database.close();
}

function keep(name: JournalName, folder: string, files: readonly string[]): void {
  const target = fileURLToPath(new URL(`journal-0.1/${name}/`, import.meta.url));
  mkdirSync(target, { recursive: true });
  for (const file of files) copyFileSync(join(folder, file), join(target, file));
  const database = new DatabaseSync(join(folder, "journal.db"), { readOnly: true });
  const runs = database.prepare("SELECT record FROM runs ORDER BY number DESC").all();
  database.close();
  const records: unknown[] = runs.map(({ record }) => JSON.parse(String(record)));
  writeFileSync(join(target, "runs.json"), `${JSON.stringify(records, null, 1)}\n`);
}
