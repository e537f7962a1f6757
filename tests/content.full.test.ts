// Full lane: some hundred command lines, a few of them in processes of their own. It needs no dist.
import assert from "node:assert/strict";
import { EventEmitter } from "node:events";
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { describe, test } from "node:test";
import { runCommandLine } from "../src/cli/program.ts";
import { canary, type ContentCase, manners, places, secret, writeCase } from "./fixtures/content/pipeline.ts";
import { type ChatServer, completion, json, type Reply, startChatServer } from "./support/chat-server.ts";
import { startCommand } from "./support/command.ts";
import { temporaryFolder } from "./support/temporary-folder.ts";
import { commandLine, testTerminal } from "./support/terminal.ts";

const parent = temporaryFolder();
/** Also in other cases, and cut. */
const leak = new RegExp(`${canary.slice(0, 5)}|${secret.slice(0, 5)}`, "i");

interface Site {
  readonly folder: string;
  readonly module: string;
}

function siteOf(name: string, options: Omit<ContentCase, "folder"> = {}): Site {
  const folder = mkdtempSync(join(parent, "site "));
  return { folder, module: writeCase(name, { folder, ...options }) };
}

/** Every command that has to do with a pipeline, as often as options change what it shows. */
function commandsOf({ folder, module }: Site): readonly (readonly string[])[] {
  const journal = join(folder, "journal.db");
  const failed = join(folder, "failed.jsonl");
  return [
    ["check", module],
    ["check", module, "--json", "--debug"],
    ["run", module],
    ["run", module, "--json", "--debug", "--fresh"],
    ["run", module, "--quiet", "--debug", "--on-row-error", "fail", "--no-cache"],
    ["replay", failed, "--pipeline", module],
    ["replay", failed, "--pipeline", module, "--json", "--debug"],
    ["replay", "--pipeline", module, "--quiet", "--debug"],
    ["runs", module],
    ["runs", "--journal", journal, "--json"],
    ["show", "--pipeline", module],
    ["show", "--journal", journal, "--json"],
    ["sql", "create-table", module, "--debug"],
  ];
}

const warnings: string[] = [];
process.on("warning", (warning) => warnings.push(`${warning.name} ${warning.message} ${warning.stack}`));

/** Does the commands, and finds nothing in what they show. Returns their exit codes. */
async function searched(commands: readonly (readonly string[])[]): Promise<readonly number[]> {
  const exitCodes: number[] = [];
  for (const words of commands) {
    const { stdout, stderr, exitCode } = await commandLine(words);
    for (const [stream, text] of Object.entries({ stdout, stderr })) {
      const found = text.split("\n").filter((line) => leak.test(line));
      assert.deepEqual(found, [], `${words.join(" ")}, ${stream}`);
    }
    exitCodes.push(exitCode);
  }
  assert.deepEqual(
    warnings.filter((warning) => leak.test(warning)),
    [],
    "a warning of the process",
  );
  return exitCodes;
}

describe("of what a user's function throws, no command shows the content that is in it", () => {
  const rowPlaces = new Set<string>(["none", "input", "column", "transform", "row-key", "row-message", "row-path"]);
  for (const place of places) {
    for (const manner of rowPlaces.has(place) ? manners.slice(0, 1) : manners) {
      test(`${place}, ${manner}`, async () => {
        const site = siteOf("faulty", { place, manner });
        const exitCodes = await searched(commandsOf(site));
        if (place === "none") assert.deepEqual(new Set(exitCodes), new Set([0]));
        else
          assert.ok(place === "count" || exitCodes.some((exitCode) => exitCode !== 0), `${exitCodes.join()}: no fault`);
      });
    }
  }
});

const content = `${canary} of the service`;
const about = `${canary} key`;
const answerOf = (answer: unknown): Reply => json(200, completion({ content: JSON.stringify(answer), refusal: null }));
const bodyOf = (status: number, error: object): Reply => json(status, { error, detail: content, [about]: content });

/** What services say, with the row, the answer or the key in it. */
const replies: Readonly<Record<string, Reply>> = {
  "a good answer": answerOf({ reasoning: content, confidence: 0.5, topic: content }),
  "an answer of other fields": answerOf({ [about]: { [about]: content } }),
  "an answer of other types": answerOf({ reasoning: [content], confidence: content, topic: { [about]: content } }),
  "an answer that is no JSON": json(200, completion({ content: `{"topic": "${content}`, refusal: null })),
  "an answer that is a text": json(200, completion({ content: JSON.stringify(content), refusal: null })),
  "a refusal": json(200, completion({ content: null, refusal: content })),
  "an answer that is cut off": json(200, completion({ content, refusal: null }, "length")),
  "a filtered answer": json(200, completion({ content, refusal: content }, "content_filter")),
  "an end of another kind": json(200, completion({ content: null, refusal: null }, content)),
  "an end of another kind after a text": json(200, completion({ content, refusal: null }, content)),
  "a completion of other fields": json(200, { [about]: content, choices: [{ [about]: content }] }),
  "a completion with an error": json(200, { error: { message: content, code: content, type: content } }),
  "a page": (response) => void response.writeHead(200, { "content-type": "text/html" }).end(`<h1>${content}</h1>`),
  "a page with an error": (response) =>
    void response.writeHead(502, { "content-type": "text/html" }).end(`<title>${content}</title>`),
  "a text": (response) => void response.writeHead(400, { "content-type": "text/plain" }).end(content),
  "a redirection": (response) =>
    void response.writeHead(302, { location: `http://gateway.example/${secret}?text=${canary}` }).end(content),
  "a reply that is cut off": (response) => {
    response.writeHead(200, { "content-type": "application/json", "content-length": "9999" });
    response.write(JSON.stringify({ choices: content }), () => response.destroy());
  },
  "odd headers": json(
    429,
    { error: content },
    { "retry-after": content, "x-request-id": `${canary}\u00e9`, "x-error": content },
  ),
  "validation of a gateway": json(422, {
    detail: [{ loc: ["body", content], msg: content, input: content, type: content }],
  }),
  "a code of one word": json(400, { error: { message: canary, code: canary, type: canary, param: canary } }),
  "a place of one word": json(422, { detail: [{ loc: ["body", canary], msg: canary, type: canary }] }),
  "an end of one word": json(200, completion({ content: canary, refusal: null }, canary)),
  "a rejected key": bodyOf(401, { message: `Incorrect API key provided: ${secret}-key. ${content}`, code: content }),
  ...Object.fromEntries(
    [400, 401, 403, 404, 408, 413, 422, 429, 500, 503].map((status): [string, Reply] => [
      `an error of status ${status}`,
      bodyOf(status, {
        message: `${content} ${secret}-key`,
        code: content,
        type: content,
        param: content,
        innererror: { code: content },
      }),
    ]),
  ),
  ...Object.fromEntries(
    [
      "content_filter",
      "context_length_exceeded",
      "invalid_request_error",
      "DeploymentNotFound",
      "insufficient_quota",
    ].map((code): [string, Reply] => [
      `the error ${code}`,
      bodyOf(code === "insufficient_quota" ? 429 : 400, {
        message: content,
        code,
        type: content,
        param: content,
        innererror: { code: content, content_filter_result: { [about]: { filtered: true, severity: content } } },
      }),
    ]),
  ),
};

describe("of what a service says, no command shows the content that is in it", () => {
  for (const [name, reply] of Object.entries(replies)) {
    test(name, async () => {
      const server: ChatServer = await startChatServer();
      server.reply = reply;
      const site = siteOf("asking", { url: server.origin });
      await searched([...commandsOf(site), ["check", site.module, "--ping", "--debug"]]);
      assert.ok(server.seen.length > 0);
    });

    test(`${name}, by the AI SDK`, async () => {
      const server: ChatServer = await startChatServer();
      server.reply = reply;
      const site = siteOf("asking", { url: server.origin, isBySDK: true });
      await searched(commandsOf(site).filter(([command], index) => index === 3 || index === 4 || command === "show"));
      assert.ok(server.seen.length > 0);
    });
  }
});

/** CSV files whose header or rows go wrong. */
const files: Readonly<Record<string, string>> = {
  "a fine file": `id,note,${canary} header\nr1,${canary},x\n`,
  "two columns of one name": `id,note,${canary} header,${canary} header\nr1,${canary},x,y\n`,
  "no column of that name": `${canary} id,${canary} note\nr1,${canary}\n`,
  "a name that is nearly it": `id,nota ${canary}\nr1,${canary}\n`,
  "no header": `${canary},${canary} two\n${canary} three,x\n`,
  "rows of another length": `id,note,${canary} header\nr1,${canary}\nr2,${canary},x,${canary},y\n`,
  "a quote within": `id,note,${canary} header\nr1,${canary} "x" y,z\nr2,"${canary}" more,z\n`,
  "a quote that never ends": `id,note,${canary} header\nr1,"${canary},z\nr2,${canary},z\n`,
  "keys twice and none": `id,note,${canary} header\n,${canary},z\nr2,${canary},z\nr2,${canary} 2,z\n`,
  "nothing but a header": `${canary}\n`,
  "bytes that are no text": `id,note,${canary} header\nr1,${canary} \u00ff,z\n`,
};

describe("of a CSV file no command shows a header or a cell that the user did not write", () => {
  for (const [name, text] of Object.entries(files)) {
    test(name, async () => {
      const site = siteOf("reading");
      const csv = join(site.folder, "notes.csv");
      writeFileSync(csv, text, name.startsWith("bytes") ? "latin1" : "utf8");
      const module = writeCase("reading", { folder: site.folder, csv });
      await searched(commandsOf({ folder: site.folder, module }));
    });
  }
});

test("of a dead letter file with lines that can't be replayed no command shows a line", async () => {
  const site = siteOf("replayed");
  const lines = [
    `{"${canary}": "${canary}`,
    canary,
    JSON.stringify({ pk: null, error_code: canary, error_message: canary, raw_data: { note: canary } }),
    JSON.stringify({ pk: "r1", error_code: canary, step_name: canary, raw_data: canary, timestamp: canary }),
    JSON.stringify({ pk: "r2", error_code: "REFUSAL", raw_data: { id: "other", note: canary } }),
    JSON.stringify({ pk: "r3", error_code: "REFUSAL", raw_data: { id: "r3", note: 7, [about]: canary } }),
    JSON.stringify({ pk: "r4", pipeline: canary, error_code: "REFUSAL", raw_data: { id: "r4", note: canary } }),
    JSON.stringify([canary]),
  ];
  writeFileSync(join(site.folder, "failed.jsonl"), lines.map((line) => `${line}\n`).join(""));
  await searched(commandsOf(site).filter(([command]) => command === "replay"));
});

/** What may stand in the code of a provider or a connection: each of these modules has a secret, and goes wrong. */
const odd = (code: string): string => `llmProvider: new OpenAICompatibleProvider({ model: "m", ${code} })`;
const azure = (code: string): string =>
  `llmProvider: new AzureOpenAIProvider({ endpoint: "http://127.0.0.1:9", deployment: "d", timeoutMs: 500, ${code} })`;
const sqlServer = (connectionString: string): string =>
  `source: new SQLServerSource({ sql: "SELECT 1 AS id", primaryKeyColumn: "id", retryTimeoutMs: 10, connectionString: ${JSON.stringify(connectionString)} })`;
const withSecrets: Readonly<Record<string, string>> = {
  "a password in the address": odd(`baseURL: "http://user:${secret}@127.0.0.1:9/v1"`),
  "a key in the address": odd(`baseURL: "http://127.0.0.1:9/v1?api-key=${secret}"`),
  "an address that is none": odd(`baseURL: "htp//user:${secret}@127.0.0.1:9/v1"`),
  "a key with a line break": odd(`baseURL: "http://127.0.0.1:9/v1", apiKey: "${secret}\\n"`),
  "a key of other characters": odd(`baseURL: "http://127.0.0.1:9/v1", apiKey: "${secret}\u00fc\u4e00"`),
  "a header with a line break": odd(`baseURL: "http://127.0.0.1:9/v1", headers: { "x-key": "${secret}\\n" }`),
  "a header of other characters": odd(`baseURL: "http://127.0.0.1:9/v1", headers: { "x-key": "${secret}\u4e00" }`),
  "a header that is no text": odd(`baseURL: "http://127.0.0.1:9/v1", headers: { "x-key": ["${secret}"] }`),
  "a header of authorization": odd(
    `baseURL: "http://127.0.0.1:9/v1", apiKey: "k", headers: { authorization: "Bearer ${secret}" }`,
  ),
  "nobody listens": odd(`baseURL: "http://127.0.0.1:9/v1", apiKey: "${secret}"`),
  "a token function that throws": azure(`tokenProvider: async () => { throw new Error("no: ${secret}") }`),
  "a token function that throws a text": azure(`tokenProvider: async () => { throw "no: ${secret}" }`),
  "a token that is none": azure(`tokenProvider: async () => "${secret} \\n"`),
  "a token that is an object": azure(`tokenProvider: async () => ({ token: "${secret}" })`),
  "a key and a token": azure(`apiKey: "${secret}", tokenProvider: async () => "${secret}"`),
  "a dated version with a secret": azure(`apiKey: "${secret}", apiVersion: "2024-10-21?key=${secret}"`),
  "a server that is not there": sqlServer(
    `Server=127.0.0.1,9;Database=d;User Id=sa;Password=${secret};Connect Timeout=1`,
  ),
  "a key that is unknown": sqlServer(`Server=127.0.0.1,9;Pasword=${secret};User Id=sa`),
  "a value that does not fit": sqlServer(`Server=127.0.0.1,9;User Id=sa;Password=${secret};Encrypt=${secret}`),
  "no equals sign": sqlServer(`Server=127.0.0.1,9;User Id=sa;Password=${secret};${secret}`),
  "a quote that never ends": sqlServer(`Server=127.0.0.1,9;User Id=sa;Password="${secret};x=y`),
  "an address as connection string": sqlServer(`mssql://sa:${secret}@127.0.0.1:9/d`),
};

describe("no command shows a secret", () => {
  const url = (path: string): string => JSON.stringify(new URL(`../src/${path}`, import.meta.url).href);
  for (const [name, part] of Object.entries(withSecrets)) {
    test(name, async () => {
      const folder = mkdtempSync(join(parent, "site "));
      const module = join(folder, "secret.mjs");
      const file = (path: string): string => JSON.stringify(join(folder, path));
      writeFileSync(
        module,
        `import { ClassifierStep, Pipeline } from ${url("index.ts")};
         import { SQLiteJournal } from ${url("journals/sqlite.ts")};
         import { AzureOpenAIProvider } from ${url("llm/providers/azure-openai.ts")};
         import { MockProvider } from ${url("llm/providers/mock.ts")};
         import { OpenAICompatibleProvider } from ${url("llm/providers/openai-compatible.ts")};
         import { SQLServerSource } from ${url("sources/sql-server.ts")};
         import { MemorySink } from ${url("testing/memory-sink.ts")};
         import { MemorySource } from ${url("testing/memory-source.ts")};
         export default new Pipeline({
           name: "secret", onRowError: "dead_letter", deadLetterPath: ${file("failed.jsonl")}, payloadLogPath: ${file("payloads.jsonl")},
           journal: new SQLiteJournal({ path: ${file("journal.db")} }), llmProvider: new MockProvider(),
           source: new MemorySource({ rows: [{ id: "r1" }, { id: "r2" }], primaryKeyColumn: "id" }),
           admission: { maxTransportRetries: 1, retryDelayMs: [1, 2], stallTimeoutMs: 300, probeDelayMs: [10, 20] }, ${part},
         })
           .step(new ClassifierStep({ name: "kind", taxonomy: [{ name: "A", definition: "a" }], inputMap: { text: (s) => s.raw.id }, outputKey: "kind" }))
           .to(new MemorySink({ columnMap: { id: (s) => s.pk } }));`,
      );
      const shown = ["check", module, "--show-prompt", "--ping"];
      await searched([
        ...commandsOf({ folder, module }),
        shown,
        ["preview", module],
        ["preview", module, "--json", "--debug"],
      ]);
    });
  }
});

/** SQL of a table that takes no row, and says so in words of the row. */
const tables: Readonly<Record<string, string>> = {
  "a trigger that quotes": `CREATE TABLE notes (id TEXT PRIMARY KEY, note TEXT);
    CREATE TRIGGER no BEFORE INSERT ON notes BEGIN SELECT RAISE(ABORT, 'no: ' || NEW.note); END`,
  "a trigger that fails": `CREATE TABLE notes (id TEXT PRIMARY KEY, note TEXT);
    CREATE TRIGGER no BEFORE INSERT ON notes BEGIN SELECT RAISE(FAIL, NEW.note); END`,
  "a trigger that rolls back": `CREATE TABLE notes (id TEXT PRIMARY KEY, note TEXT);
    CREATE TRIGGER no BEFORE INSERT ON notes BEGIN SELECT RAISE(ROLLBACK, NEW.note || char(39) || NEW.note); END`,
  "a trigger with JSON": `CREATE TABLE notes (id TEXT PRIMARY KEY, note TEXT);
    CREATE TRIGGER no BEFORE INSERT ON notes BEGIN SELECT json_extract('{}', NEW.note); END`,
  "a check": "CREATE TABLE notes (id TEXT PRIMARY KEY, note TEXT CHECK (note = 'x'))",
  "a key": "CREATE TABLE notes (id TEXT PRIMARY KEY, note TEXT UNIQUE)",
  "numbers alone": "CREATE TABLE notes (id TEXT PRIMARY KEY, note INTEGER) STRICT",
  "short texts": "CREATE TABLE notes (id TEXT PRIMARY KEY, note VARCHAR(3))",
  "a foreign key": `CREATE TABLE others (note TEXT PRIMARY KEY);
    CREATE TABLE notes (id TEXT PRIMARY KEY, note TEXT REFERENCES others (note))`,
};

/** Queries that fail at a row, and say so in its words. */
const queries: Readonly<Record<string, string>> = {
  "a path in JSON": "SELECT id, json_extract('{}', note) AS note FROM notes",
  "an escape": "SELECT id, note LIKE 'x' ESCAPE note AS note FROM notes",
  "a parameter": "SELECT id, note FROM notes WHERE note <> :name",
};

describe("of what a database says, no command shows the content that is in it", () => {
  const url = (path: string): string => JSON.stringify(new URL(`../src/${path}`, import.meta.url).href);
  const all = [
    ...Object.entries(tables).map(([name, table]) => ({ name, table, sql: "SELECT id, note FROM notes", more: [] })),
    ...Object.entries(queries).map(([name, sql]) => {
      const more = name === "a parameter" ? ["--param", `name=${canary} ${secret}`] : [];
      return { name, table: "CREATE TABLE notes (id TEXT PRIMARY KEY, note TEXT)", sql, more };
    }),
  ];
  for (const { name, table, sql, more } of all) {
    test(name, async () => {
      const folder = mkdtempSync(join(parent, "site "));
      const [module, from, to] = [join(folder, "database.mjs"), join(folder, "from.db"), join(folder, "to.db")];
      const source = new DatabaseSync(from);
      source.exec("CREATE TABLE notes (id TEXT, note TEXT)");
      for (const id of ["r1", "r2", "r3"])
        source.prepare("INSERT INTO notes VALUES (?, ?)").run(id, `${canary} a text`);
      source.close();
      const target = new DatabaseSync(to);
      target.exec(table);
      target.close();
      writeFileSync(
        module,
        `import { Pipeline, TransformStep } from ${url("index.ts")};
         import { SQLiteJournal } from ${url("journals/sqlite.ts")};
         import { MockProvider } from ${url("llm/providers/mock.ts")};
         import { SQLiteSink } from ${url("sinks/sqlite.ts")};
         import { SQLiteSource } from ${url("sources/sqlite.ts")};
         const folder = ${JSON.stringify(folder)};
         export default new Pipeline({
           name: "database", onRowError: "dead_letter", deadLetterPath: folder + "/failed.jsonl", payloadLog: "off",
           journal: new SQLiteJournal({ path: folder + "/journal.db" }), llmProvider: new MockProvider(),
           source: new SQLiteSource({ databasePath: folder + "/from.db", sql: ${JSON.stringify(sql)}, primaryKeyColumn: "id" }),
         })
           .step(new TransformStep({ name: "work", transform: (s) => s.raw.note, outputKey: "work" }))
           .to(new SQLiteSink({ databasePath: folder + "/to.db", targetTable: "notes", mergeKeys: ["id"], columnMap: { id: (s) => s.pk, note: (s) => s.raw.note } }));`,
      );
      const commands = commandsOf({ folder, module }).map((words) => {
        return words[0] === "check" || words[0] === "run" ? [...words, ...more] : words;
      });
      const others = [...more, "--fresh", "--debug"];
      await searched([...commands, ["run", module, ...others], ["run", module, "--param", `x=${canary}`, "--debug"]]);
    });
  }
});

describe("init shows nothing of the files that it finds", () => {
  const manifests: Readonly<Record<string, string>> = {
    "a fine one": JSON.stringify({
      name: canary,
      type: canary,
      description: canary,
      dependencies: { [canary]: secret },
    }),
    "a module's": JSON.stringify({ type: "module", scripts: { start: canary }, config: { token: secret } }),
    "text that is no JSON": `${canary} ${secret}`,
    "JSON that ends early": `{ "token": "${secret}", "name": "${canary}`,
    "a comma too many": `{"token":"${secret}",}`,
    "a list": JSON.stringify([canary]),
    "sections that are none": JSON.stringify({ dependencies: canary, scripts: [secret], type: { [canary]: secret } }),
  };
  for (const [name, manifest] of Object.entries(manifests)) {
    test(name, async () => {
      const folder = mkdtempSync(join(parent, "site "));
      writeFileSync(join(folder, "package.json"), manifest);
      for (const file of [".gitignore", ".env", "README.md"])
        writeFileSync(join(folder, file), `${canary}=${secret}\n`);
      await searched([
        ["init", folder, "--debug"],
        ["init", folder, "--debug"], // its files are there by now
        ["init", join(folder, "README.md", "project"), "--debug"],
      ]);
    });
  }
});

describe("simulate shows nothing of its file of answers, nor of requests", () => {
  const named = ["--text-column", "note", "--label-column", "label"];
  for (const [name, text] of Object.entries({
    "no header": `${canary},${canary} two\n${canary} three,x\n`,
    "a name that is nearly it": `nota ${canary},label\n${canary},x\n`,
    "rows of another length": `note,label,${canary} header\n${canary}\n`,
    "a quote that never ends": `note,label\n"${canary},z\n${canary},z\n`,
    "nothing but a header": `note,label,${canary}\n`,
    "bytes that are no text": `note,label,${canary} \u00ff\n${canary},x,y\n`,
  })) {
    test(name, async () => {
      const csv = join(mkdtempSync(join(parent, "site ")), "labels.csv");
      writeFileSync(csv, text, name.startsWith("bytes") ? "latin1" : "utf8");
      const words = ["simulate", "--port", "0", "--answers-from", csv, ...named, "--debug"];
      assert.deepEqual(await searched([words]), [2]);
    });
  }

  test("requests", async () => {
    const signals = new EventEmitter();
    const listening = Promise.withResolvers<string>();
    const onStderr = (text: string): void => {
      const [, url] = /Listening on (http:\S+),/.exec(text) ?? [];
      if (url !== undefined) listening.resolve(url);
    };
    const terminal = testTerminal({ signals, onStderr });
    const ended = runCommandLine(["simulate", "--port", "0", "--set", 'deployments=["known"]', "--debug"], terminal);
    const url = await listening.promise;
    const headers = { "api-key": `${secret}-key`, authorization: `Bearer ${secret}`, "x-note": canary };
    const messages = [{ role: "user", content: `${canary} ${secret}` }];
    for (const path of [canary, `openai/deployments/${canary}/chat/completions?api-version=2024-10-21&key=${secret}`])
      for (const body of [canary, JSON.stringify({ messages }), JSON.stringify({ [canary]: canary })])
        await (await fetch(`${url}/${path}`, { method: "POST", headers, body })).text();
    const known = `${url}/openai/deployments/known/chat/completions?api-version=2024-10-21`;
    assert.equal((await fetch(known, { method: "POST", headers, body: JSON.stringify({ messages }) })).status, 200);
    signals.emit("SIGINT");
    assert.equal(await ended, 0);
    assert.doesNotMatch(`${terminal.written.stdout}${terminal.written.stderr}`, leak);
  });
});

test("a process writes no content either, not even Node's own lines; what is made for content has it", async () => {
  const server = await startChatServer();
  server.reply = replies["a good answer"] ?? server.reply;
  const site = siteOf("whole", { url: server.origin, place: "transform" });
  await Promise.all(
    commandsOf(site)
      .slice(0, 4)
      .map(async (words) => {
        const { stdout, stderr } = await startCommand(words).ended;
        assert.doesNotMatch(`${stdout}${stderr}`, leak, words.join(" "));
      }),
  );
  const fine = siteOf("fine", { url: server.origin });
  assert.match((await commandLine(["preview", fine.module])).stdout, leak);
  assert.match((await commandLine(["check", fine.module, "--show-prompt"])).stdout, leak);
  assert.match(readFileSync(join(site.folder, "failed.jsonl"), "utf8"), leak);
  assert.match(readFileSync(join(fine.folder, "payloads.jsonl"), "utf8"), leak);
});
