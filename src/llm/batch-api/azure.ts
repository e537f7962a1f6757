import type { BatchService } from "../../contracts/provider.ts";
import type { ChatFormat } from "../chat-completions/body.ts";
import type { Credential } from "../chat-completions/client.ts";
import { createDispatcher } from "../chat-completions/http.ts";
import type { ChatOptions } from "../chat-completions/options.ts";
import type { ServiceFailure } from "../chat-completions/service-error.ts";
import type { ServiceURL } from "../chat-completions/url.ts";
import { type AzureBatchOptions, azureMaxRequests, defaultMaxBytes } from "./options.ts";
import { BatchAPI } from "./service.ts";

/** A resource of Azure OpenAI. */
export interface AzureResource {
  readonly url: ServiceURL;
  readonly credential: Credential;
  /** Undefined for the v1 API. */
  readonly apiVersion: string | undefined;
  readonly settings: ServiceFailure["settings"];
}

/** The time limit of an exchange that carries no file, in milliseconds. */
const timeoutMs = 60_000;

/** The Batch API of a resource of Azure OpenAI; undefined without a deployment for it. The URL of its lines has no version. */
export function azureBatches(
  { url, credential, apiVersion, settings }: AzureResource,
  format: ChatFormat,
  {
    batch,
    headers = {},
    dispatcher,
  }: Pick<ChatOptions, "headers" | "dispatcher"> & { readonly batch?: AzureBatchOptions | undefined },
): BatchService | undefined {
  if (batch === undefined) return undefined;
  const { deployment, maxRequests = azureMaxRequests, maxBytes = defaultMaxBytes } = batch;
  return new BatchAPI({
    origin: url.origin,
    basePath: `${url.path}/openai${apiVersion === undefined ? "/v1" : ""}`,
    query: apiVersion === undefined ? "" : `?api-version=${apiVersion}`,
    credential,
    headers,
    settings: { ...settings, deployment: 'the option "batch.deployment"' },
    dispatcher: dispatcher ?? createDispatcher("AzureOpenAIProvider"),
    timeoutMs,
    deployment,
    format: { ...format, model: deployment, takesCacheKey: false, tier: undefined },
    endpoint: "/chat/completions",
    maxRequests,
    maxBytes,
  });
}
