/** The target of a request, by its method and its path. */
export type Route =
  | { readonly kind: "chat"; readonly deployment: string | undefined; readonly apiVersion: string | undefined }
  | { readonly kind: "statistics" }
  | { readonly kind: "bill" }
  | { readonly kind: "reset" }
  | { readonly kind: "wrong-method"; readonly allowed: string }
  | { readonly kind: "not-found"; readonly reason: string };

const undated = new Set(["/openai/v1/chat/completions", "/v1/chat/completions", "/chat/completions"]);

/** Finds the route of a request: the v1 API, the dated API of Azure OpenAI, or a path of services compatible with OpenAI. */
export function routeOf(method: string, url: string): Route {
  const [path = "", query = ""] = url.split("?", 2);
  if (path === "/stats") return only("GET", method, { kind: "statistics" });
  if (path === "/bill") return only("GET", method, { kind: "bill" });
  if (path === "/stats/reset") return only("POST", method, { kind: "reset" });
  if (undated.has(path)) return only("POST", method, { kind: "chat", deployment: undefined, apiVersion: undefined });
  const deployment = decoded(/^\/openai\/deployments\/([^/]+)\/chat\/completions$/.exec(path)?.[1]);
  if (deployment === undefined) return { kind: "not-found", reason: "Resource not found." };
  const apiVersion = new URLSearchParams(query).get("api-version");
  if (apiVersion === null || apiVersion === "") {
    return { kind: "not-found", reason: "Resource not found: the path of a deployment needs ?api-version=." };
  }
  return only("POST", method, { kind: "chat", deployment, apiVersion });
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
