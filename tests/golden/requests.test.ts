import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { converse } from "./conversation.ts";
import { filesThere, goldenFiles, readGolden, textOf } from "./golden-file.ts";

for (const file of goldenFiles) {
  const golden = readGolden(file);

  describe(file.path.replace(".json", ""), () => {
    for (const one of file.cases) {
      test(`${one.name}: the bytes that are sent and the key of each answer are those of version 0.1`, async () => {
        const { conversation, envelopes } = await converse(file.service, one);
        assert.equal(textOf(conversation), textOf(golden.cases[one.name]));
        for (const envelope of envelopes) assert.equal(textOf(envelope), textOf(golden.envelope));
      });
    }

    test("every frozen case is still compared", () => {
      const names = file.cases.map(({ name }) => name);
      assert.deepEqual(names, Object.keys(golden.cases));
    });
  });
}

test("every golden file is still compared", () => {
  assert.deepEqual(goldenFiles.map(({ path }) => path).toSorted(), filesThere().toSorted());
});
