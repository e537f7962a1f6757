import assert from "node:assert/strict";
import { test } from "node:test";
import { ColumnMapError, EachError, SinkDataError, SinkError, TargetError, ValueError } from "../../src/errors/sink.ts";
import { DeadLetterError, PayloadLogError } from "../../src/errors/journal.ts";
import {
  EmptyInputError,
  InputMapError,
  InputTooLongError,
  ProviderChoiceError,
  StepFailedError,
  ValidationError,
  WhenError,
} from "../../src/errors/step.ts";
import { type ErrorScope, errorCodes, LLMEtlError, RowError, RunError } from "../../src/errors/llm-etl-error.ts";
import { OptionError, SchemaError, SettingError } from "../../src/errors/option.ts";
import { PrimaryKeyError, RowSchemaError, SourceError } from "../../src/errors/source.ts";
import { TaxonomyError } from "../../src/errors/taxonomy.ts";
import { messageOf, nameOf, textOf } from "../../src/errors/error-text.ts";

const secret = "Patient Jane Doe";

test("each error has its class's name, a code of the list, and a scope that says what is lost", () => {
  const cases: readonly (readonly [LLMEtlError, string, string, ErrorScope])[] = [
    [new OptionError("Pipeline", "name", "expected text"), "OptionError", "INVALID_OPTION", "run"],
    [new SettingError("Provider", "apiKey", "API_KEY"), "SettingError", "SETTING_MISSING", "run"],
    [new SchemaError("a.b", "problem", "remedy"), "SchemaError", "SCHEMA_NOT_SUPPORTED", "run"],
    [new SourceError("csv", "problem"), "SourceError", "SOURCE_FAILED", "run"],
    [new SinkError("csv", "problem"), "SinkError", "SINK_FAILED", "run"],
    [new TargetError("csv", "problem"), "TargetError", "TARGET_MISMATCH", "run"],
    [new DeadLetterError("/a", new Error("ENOSPC")), "DeadLetterError", "DEAD_LETTER_FAILED", "run"],
    [new PayloadLogError("/a", new Error("ENOSPC")), "PayloadLogError", "PAYLOAD_LOG_FAILED", "run"],
    [new TaxonomyError("taxonomyFrom", "problem"), "TaxonomyError", "TAXONOMY_INVALID", "run"],
    [new SinkDataError("csv", "problem"), "SinkDataError", "SINK_DATA_REFUSED", "row"],
    [new PrimaryKeyError("PRIMARY_KEY_MISSING", "row 1"), "PrimaryKeyError", "PRIMARY_KEY_MISSING", "row"],
    [new RowSchemaError("row 1"), "RowSchemaError", "ROW_SCHEMA_MISMATCH", "row"],
    [new EmptyInputError("classify"), "EmptyInputError", "EMPTY_INPUT", "row"],
    [new InputMapError("classify", "text", "threw"), "InputMapError", "INPUT_MAP_FAILED", "row"],
    [new WhenError("classify", "threw"), "WhenError", "WHEN_FAILED", "row"],
    [new ProviderChoiceError("classify", "threw"), "ProviderChoiceError", "PROVIDER_CHOICE_FAILED", "row"],
    [new InputTooLongError("classify", 9, 8), "InputTooLongError", "INPUT_TOO_LONG", "row"],
    [new ValidationError("classify", "m", "d", []), "ValidationError", "INVALID_OUTPUT", "row"],
    [new StepFailedError("own", new Error(secret)), "StepFailedError", "STEP_FAILED", "row"],
    [new ColumnMapError("column", new Error(secret)), "ColumnMapError", "COLUMN_MAP_FAILED", "row"],
    [new EachError("items", "threw"), "EachError", "EACH_FAILED", "row"],
    [new ValueError("m", "d"), "ValueError", "VALUE_DOES_NOT_FIT", "row"],
  ];
  for (const [error, name, code, scope] of cases) {
    assert.ok(error instanceof LLMEtlError && error instanceof Error);
    assert.deepEqual([error.name, error.code, error.scope], [name, code, scope]);
    assert.ok(new Set<string>(errorCodes).has(error.code));
    assert.ok(scope === "row" ? error instanceof RowError : error instanceof RunError, name);
  }
});

test("the codes are sorted, in capitals, and each is there once", () => {
  assert.deepEqual(errorCodes, [...new Set(errorCodes)].toSorted());
  assert.ok(errorCodes.every((code) => /^[A-Z_]+$/.test(code)));
});

test("the detail is the message if no other is given, and the cause is kept", () => {
  const cause = new Error("why");
  const { detail, message } = new SourceError("csv", "problem");
  assert.equal(detail, message);
  assert.equal(new SourceError("csv", "problem", { cause }).cause, cause);
  assert.equal(Object.hasOwn(new SourceError("csv", "problem"), "cause"), false);
  assert.equal(new SinkDataError("csv", "problem", { detail: secret }).detail, secret);
});

test("the kind of what a function of the user's threw is a fact, and its words are in the detail only", () => {
  for (const error of [
    new StepFailedError("own", new TypeError(secret)),
    new ColumnMapError("c", new TypeError(secret)),
  ]) {
    assert.equal(error.facts["thrown"], "TypeError");
    assert.match(String(error.facts["place"]), /^tests.*llm-etl-error\.test\.ts:\d+$/);
    assert.ok(!error.message.includes(secret));
    assert.ok(error.detail.includes(secret));
  }
});

test("anything can be thrown and still be named", () => {
  const thrown: readonly (readonly [unknown, string])[] = [
    [secret, "a string"],
    [undefined, "a undefined"],
    [null, "an object"],
    [Symbol(secret), "a symbol"],
    [Object.create(null), "an object"],
  ];
  for (const [value, name] of thrown) {
    assert.equal(nameOf(value), name);
    assert.deepEqual(new StepFailedError("own", value).facts, { step: "own", thrown: name });
    assert.deepEqual(new ColumnMapError("c", value).facts, { where: "c", thrown: name });
    assert.equal(typeof messageOf(value), "string");
  }
  assert.equal(messageOf(new Error("why")), "why");
  assert.equal(messageOf("why"), "why");
  assert.equal(textOf(new TypeError("why")), "TypeError: why");
});
