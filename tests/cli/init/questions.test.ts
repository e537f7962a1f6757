import assert from "node:assert/strict";
import { PassThrough } from "node:stream";
import { test } from "node:test";
import { askForChoices, type Choices } from "../../../src/cli/init/questions.ts";
import { findTemplates } from "../../../src/cli/init/templates.ts";

const enter = "\r";
const down = "\u001B[B";
const controlC = "\u0003";

const templates = findTemplates();

interface Talk {
  /** The folder, and the names of source and provider. */
  readonly choices: readonly string[] | undefined;
  readonly screen: string;
}

/** Answers each question, when it is put, with the next keys. */
async function talk(
  given: Partial<Choices>,
  answers: readonly (readonly [question: string, keys: string])[],
): Promise<Talk> {
  const input = new PassThrough();
  const output = new PassThrough().setEncoding("utf8");
  const pending = [...answers];
  let screen = "";
  output.on("data", (text: string) => {
    screen += text;
    const [next] = pending;
    if (next === undefined || !screen.includes(next[0])) return;
    pending.shift();
    setImmediate(() => input.write(next[1])); // the question is drawn before its keys are listened to
  });
  const choices = await askForChoices(given, templates, { input, output });
  return { choices: choices && [choices.folder, choices.source.name, choices.provider.name], screen };
}

test("it asks for folder, source and provider; Enter takes what is suggested", async () => {
  const { choices } = await talk({}, [
    ["Which folder?", enter],
    ["Where do rows come from?", enter],
    ["Which model answers?", enter],
  ]);
  assert.deepEqual(choices, [".", "sqlite", "mock"]);
});

test("a folder can be typed, and the others chosen with the arrow keys", async () => {
  const { choices } = await talk({}, [
    ["Which folder?", `Über uns${enter}`],
    ["Where do rows come from?", `${down}${down}${enter}`],
    ["Which model answers?", `${down}${enter}`],
  ]);
  assert.deepEqual(choices, ["Über uns", "sql-server", "azure-openai"]);
});

test("what was given is not asked for", async () => {
  const [provider] = templates.providers;
  const { choices, screen } = await talk({ folder: "here", provider }, [
    ["Where do rows come from?", `${down}${enter}`],
  ]);
  assert.deepEqual(choices, ["here", "csv", "mock"]);
  assert.doesNotMatch(screen, /folder|model/);
  const all = { folder: "here", source: templates.sources[0], provider };
  assert.deepEqual(await talk(all, []), { choices: ["here", "sqlite", "mock"], screen: "" });
});

for (const [index, question] of ["Which folder?", "Where do rows come from?", "Which model answers?"].entries()) {
  test(`Ctrl-C at "${question}" cancels all`, async () => {
    const before = ["Which folder?", "Where do rows come from?"].slice(0, index);
    const { choices, screen } = await talk({}, [...before.map((each) => [each, enter] as const), [question, controlC]]);
    assert.equal(choices, undefined);
    assert.ok(screen.includes(question));
  });
}
