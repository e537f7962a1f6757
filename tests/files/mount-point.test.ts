import assert from "node:assert/strict";
import { test } from "node:test";
import { isMountPoint } from "../../src/files/mount-point.ts";

test("a path is a mount point where the system says so, spaces and backslashes included, and nothing below it is", () => {
  const mounts = String.raw`36 35 98:0 /mnt1 / rw - ext3 /dev/root rw
40 36 98:0 /out.csv /data/my\040out\134.csv rw,noatime master:1 - ext3 /dev/root rw
41 36 0:22 / /logs rw - tmpfs tmpfs rw
`;
  assert.equal(isMountPoint(String.raw`/data/my out\.csv`, mounts), true);
  assert.equal(isMountPoint("/logs", mounts), true);
  assert.equal(isMountPoint("/logs/a.jsonl", mounts), false);
  assert.equal(isMountPoint("/data", mounts), false);
  assert.equal(isMountPoint(import.meta.filename), false);
});
