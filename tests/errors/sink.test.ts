import { test } from "node:test";
import { ColumnMapError, SinkDataError, SinkError, TargetError, ValueError } from "../../src/errors/sink.ts";
import { assertSentences } from "../support/error-sentences.ts";

test("the sentences about sinks", async (t) => {
  const facts = { where: "age", expected: "INT", got: "NVARCHAR(5)", hint: "change the column" };
  await assertSentences(t, [
    () => new SinkError("csv", "the file can't be written", { facts: { hint: "free the disk" } }),
    () => new TargetError("sqlite", 'the column "age" has another type', { facts }),
    () => new SinkDataError("sqlite", "a row was rejected", { detail: "a row was rejected: Jane Doe" }),
    () => new ColumnMapError("age", new TypeError("Jane Doe")),
    () => new ValueError("age: too big", "age: too big: 5000", ["age"]),
  ]);
});
