import { OptionError } from "../../errors/option.ts";
import { checkOptions, isCount, isName, optional } from "../../errors/options.ts";

/** The sizes of the files of a Batch API. */
export interface BatchFileOptions {
  /** The most requests of a file. @default 100,000 on Azure OpenAI, 50,000 elsewhere */
  readonly maxRequests?: number | undefined;
  /** The most bytes of a file. @default 200,000,000 */
  readonly maxBytes?: number | undefined;
}

/** The deployment for batches: on Azure OpenAI these need one of their own, of the type Global Batch or Data Zone Batch. */
export interface AzureBatchOptions extends BatchFileOptions {
  readonly deployment: string;
  /** Says that it has the model of the deployment that is asked online: an answer of the one is found by a request to the other. */
  readonly sameModel: true;
}

const sizes = { maxRequests: optional(isCount(1)), maxBytes: optional(isCount(1000)) };

/** Azure OpenAI: 100,000 requests and 200 MB (Microsoft Learn, "Batch"); OpenAI: 50,000 and 200 MB (API reference, "Batch"). */
export const azureMaxRequests = 100_000;
export const openAIMaxRequests = 50_000;
export const defaultMaxBytes = 200_000_000;

export function checkAzureBatch(owner: string, batch: AzureBatchOptions): void {
  checkOptions<AzureBatchOptions>(`${owner} batch`, batch, {
    deployment: isName,
    sameModel: { expected: "true", fits: (value) => value === true, required: true },
    ...sizes,
  });
}

export function checkBatchFiles(owner: string, batch: boolean | BatchFileOptions): void {
  if (typeof batch === "boolean") return;
  if (typeof batch !== "object" || batch === null) {
    throw new OptionError(owner, "batch", "", { expected: "true, or an object with the sizes of files" });
  }
  checkOptions<BatchFileOptions>(`${owner} batch`, batch, sizes);
}
