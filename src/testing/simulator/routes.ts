import type { SimulatorBatchOperation } from "./batch/words.ts";

/** A request for files and batches. */
export interface BatchRoute {
  readonly kind: "batch";
  readonly operation: SimulatorBatchOperation;
  /** The id of the file or the batch. */
  readonly id: string | undefined;
  readonly query: URLSearchParams;
}

/** The target of a request, by its method and its path. */
export type Route =
  | BatchRoute
  | { readonly kind: "batch-statistics" }
  | { readonly kind: "chat"; readonly deployment: string | undefined; readonly apiVersion: string | undefined }
  | { readonly kind: "statistics" }
  | { readonly kind: "bill" }
  | { readonly kind: "reset" }
  | { readonly kind: "wrong-method"; readonly allowed: string }
  | { readonly kind: "not-found"; readonly reason: string };

const undated = new Set(["/openai/v1/chat/completions", "/v1/chat/completions", "/chat/completions"]);

const withoutVersion: Route = { kind: "not-found", reason: "Resource not found: this path needs ?api-version=." };

/** Finds the route of a request: the v1 API, the dated API of Azure OpenAI, or a path of services compatible with OpenAI. */
export function routeOf(method: string, url: string): Route {
  const [path = "", query = ""] = url.split("?", 2);
  if (path === "/stats") return only("GET", method, { kind: "statistics" });
  if (path === "/stats/batches") return only("GET", method, { kind: "batch-statistics" });
  if (path === "/bill") return only("GET", method, { kind: "bill" });
  if (path === "/stats/reset") return only("POST", method, { kind: "reset" });
  if (undated.has(path)) return only("POST", method, { kind: "chat", deployment: undefined, apiVersion: undefined });
  const batchRoute = batchRouteOf(method, path, new URLSearchParams(query));
  if (batchRoute !== undefined) return batchRoute;
  const deployment = decoded(/^\/openai\/deployments\/([^/]+)\/chat\/completions$/.exec(path)?.[1]);
  if (deployment === undefined) return { kind: "not-found", reason: "Resource not found." };
  const apiVersion = new URLSearchParams(query).get("api-version");
  if (apiVersion === null || apiVersion === "") return withoutVersion;
  return only("POST", method, { kind: "chat", deployment, apiVersion });
}

/** By the path after the prefix of the API, the operations of its methods. */
const batchPaths: readonly {
  readonly path: RegExp;
  readonly operations: Readonly<Record<string, SimulatorBatchOperation>>;
}[] = [
  { path: /^\/files$/, operations: { POST: "upload" } },
  { path: /^\/files\/([^/]+)$/, operations: { GET: "file", DELETE: "delete" } },
  { path: /^\/files\/([^/]+)\/content$/, operations: { GET: "download" } },
  { path: /^\/batches$/, operations: { POST: "create", GET: "list" } },
  { path: /^\/batches\/([^/]+)$/, operations: { GET: "poll" } },
  { path: /^\/batches\/([^/]+)\/cancel$/, operations: { POST: "cancel" } },
];

const prefixes = /^(\/openai\/v1|\/v1|\/openai\/deployments\/[^/]+|\/openai)?(?=\/(?:files|batches)(?:\/|$))/;

/** The route of a request for files or batches; undefined for another path. */
function batchRouteOf(method: string, path: string, query: URLSearchParams): Route | undefined {
  const [prefix] = prefixes.exec(path) ?? [];
  if (prefix === undefined) return undefined;
  const isDated = prefix.startsWith("/openai") && prefix !== "/openai/v1";
  if (isDated && (query.get("api-version") ?? "") === "") return withoutVersion;
  const rest = path.slice(prefix.length);
  for (const { path: pattern, operations } of batchPaths) {
    const match = pattern.exec(rest);
    if (match === null) continue;
    const operation = operations[method];
    if (operation === undefined) return { kind: "wrong-method", allowed: Object.keys(operations).join(", ") };
    return { kind: "batch", operation, id: decoded(match[1]), query };
  }
  return undefined;
}

function only(allowed: string, method: string, route: Route): Route {
  return method === allowed ? route : { kind: "wrong-method", allowed };
}

function decoded(part: string | undefined): string | undefined {
  try {
    return part === undefined ? undefined : decodeURIComponent(part);
  } catch {
    return undefined; // a lone % is no name
  }
}
