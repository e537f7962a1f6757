import { invalidRequest, type Reply } from "../replies.ts";
import type { BatchOrder } from "./batch-record.ts";
import { bareEndpoint } from "./input-lines.ts";
import type { StoredFile } from "./stored-files.ts";

const maxKeys = 16;
const maxKeyLength = 64;
const maxValueLength = 512;

/** Reads the body of a create; a reply says what is wrong with it. */
export function readOrder(body: Buffer, fileOf: (id: string) => StoredFile | undefined): BatchOrder | Reply {
  const fields = parseObject(body);
  if (fields === undefined) return invalidRequest("The body is not a JSON object.", null);
  const { input_file_id: inputFileId, endpoint, completion_window: completionWindow, metadata = null } = fields;
  const file = typeof inputFileId === "string" ? fileOf(inputFileId) : undefined;
  if (typeof inputFileId !== "string" || file === undefined || file.purpose !== "batch") {
    return invalidRequest("'input_file_id' is not the id of an uploaded file for batches.", "input_file_id");
  }
  if (typeof endpoint !== "string" || bareEndpoint(endpoint) !== "/chat/completions") {
    return invalidRequest("'endpoint' must be '/v1/chat/completions'.", "endpoint");
  }
  if (completionWindow !== "24h") return invalidRequest("'completion_window' must be '24h'.", "completion_window");
  if (!isMetadata(metadata)) {
    const rule = `at most ${maxKeys} texts of ${maxValueLength} characters, with keys of ${maxKeyLength}`;
    return invalidRequest(`'metadata' may have ${rule}.`, "metadata");
  }
  return { inputFileId, endpoint, completionWindow, metadata, tokens: Math.ceil(file.bytes / 4) };
}

function parseObject(body: Buffer): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(body.toString());
    // A JSON object has texts as keys.
    return typeof value === "object" && value !== null ? (value as Readonly<Record<string, unknown>>) : undefined;
  } catch {
    return undefined;
  }
}

function isMetadata(value: unknown): value is Readonly<Record<string, string>> | null {
  if (value === null) return true;
  if (typeof value !== "object" || Array.isArray(value)) return false;
  const entries = Object.entries(value ?? {});
  return entries.length <= maxKeys && entries.every(isEntry);
}

function isEntry([key, value]: [string, unknown]): boolean {
  return key.length <= maxKeyLength && typeof value === "string" && value.length <= maxValueLength;
}
