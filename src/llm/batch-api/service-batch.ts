import { z } from "zod";
import type { ServiceBatch } from "../../contracts/provider.ts";
import { isCodeName } from "../chat-completions/error-body.ts";

/** A text, or null for one that is missing, null or empty: Azure names a file that is not there yet "". */
const optionalId = z
  .string()
  .nullish()
  .transform((id) => (id === undefined || id === null || id === "" ? null : id));

const Count = z.number().nonnegative().catch(0);

/** The parts of a batch that are read: of others a service may have any. */
const Batch = z.object({
  id: z.string().min(1),
  status: z.string(),
  input_file_id: optionalId,
  output_file_id: optionalId,
  error_file_id: optionalId,
  request_counts: z.object({ total: Count, completed: Count, failed: Count }).nullish().catch(null),
  metadata: z.record(z.string(), z.unknown()).nullish().catch(null),
  errors: z
    .object({ data: z.array(z.object({ code: z.string().nullish() })).nullish() })
    .nullish()
    .catch(null),
});

const ended: ReadonlySet<string> = new Set(["completed", "expired", "cancelled", "canceled"]);

/** Undefined for what is no batch. Status words come in any letter case, with blanks or without. */
export function readBatch(value: unknown): ServiceBatch | undefined {
  const { success, data } = Batch.safeParse(value);
  if (!success) return undefined;
  const status = data.status.replaceAll(/([a-z])([A-Z])/g, "$1_$2").toLowerCase();
  const metadata = Object.entries(data.metadata ?? {}).flatMap(([name, text]) =>
    typeof text === "string" ? [[name, text] as const] : [],
  );
  const codes = (data.errors?.data ?? []).flatMap(({ code }) =>
    code !== undefined && code !== null && isCodeName(code) ? [code] : [],
  );
  return {
    id: data.id,
    state: ended.has(status) ? "ended" : status === "failed" ? "rejected" : "working",
    status,
    inputFileId: data.input_file_id,
    outputFileId: data.output_file_id,
    errorFileId: data.error_file_id,
    counts: data.request_counts ?? null,
    metadata: Object.fromEntries(metadata),
    errorCodes: [...new Set(codes)],
  };
}
