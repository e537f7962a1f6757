import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { OptionError } from "../../errors/option.ts";
import { messageOf } from "../../errors/error-text.ts";
import { BatchAPI } from "./batch/batch-api.ts";
import type { SimulatorBatches } from "./batch/words.ts";
import { ChatService, type Decision } from "./chat-service.ts";
import { Exchange } from "./exchange.ts";
import type { SimulatorBill } from "./ledger.ts";
import { readLabels } from "./labelled-csv.ts";
import {
  checkSimulatorChanges,
  checkSimulatorOptions,
  type AzureOpenAISimulatorChanges,
  type AzureOpenAISimulatorOptions,
} from "./options.ts";
import { readBody } from "./read-body.ts";
import { errorReply, type Reply } from "./replies.ts";
import { routeOf, type BatchRoute, type Route } from "./routes.ts";
import { StatisticsCounter, type SimulatorStatistics } from "./statistics.ts";

/** A running simulator. */
export interface AzureOpenAISimulator {
  /** The endpoint to point a client at, for example `http://127.0.0.1:8000`. */
  readonly url: string;
  readonly port: number;
  readonly statistics: () => SimulatorStatistics;
  /**
   * The bill: of all that it worked on, also for clients that got no answer or have left. Requests that it works on now are not on it
   * yet (`inWork`).
   */
  readonly bill: () => SimulatorBill;
  /** The files and the batches, and for each `custom_id` how often it was submitted, worked on and billed. */
  readonly batches: () => SimulatorBatches;
  /**
   * Forgets every request: statistics, bill, used quotas, cached prompts, files, batches, and the number of times that a request was sent. The
   * work of this moment is on no bill any more.
   */
  readonly reset: () => void;
  /**
   * Changes options from the next request on. Options that are not named stay; `undefined` restores the default.
   *
   * @throws {OptionError} for an option that is unknown, has a wrong value or can't change while the simulator runs
   */
  readonly update: (changes: AzureOpenAISimulatorChanges) => void;
  /** Stops listening, ends every connection, hanging ones as well, and removes its files. */
  readonly close: () => Promise<void>;
}

/**
 * Starts an HTTP server that behaves like Azure OpenAI's chat completions: keys, limits, latency, usage and faults, with
 * answers that fit the schema of the request. The same seed and the same requests give the same answers and faults, in any
 * order.
 *
 * @example
 * const simulator = await startAzureOpenAISimulator({ requestsPerMinute: 600, faults: { serverError: 0.02 } });
 * @throws {OptionError} for an option that is unknown or has a wrong value, and for a port that is not free
 * @throws {SourceError} if `answersFrom` can't be read
 */
export async function startAzureOpenAISimulator(
  options: AzureOpenAISimulatorOptions = {},
): Promise<AzureOpenAISimulator> {
  checkSimulatorOptions(options);
  const { port = 0, host = "127.0.0.1", answersFrom } = options;
  const labels = answersFrom === undefined ? undefined : await readLabels(answersFrom);
  const statistics = new StatisticsCounter();
  const service = new ChatService(options, labels);
  const requests = new StatisticsCounter();
  const batchAPI = new BatchAPI({ options: () => service.options, service, statistics, requests });
  let cleared: Promise<unknown> = Promise.resolve();
  const reset = (): void => {
    service.reset();
    statistics.reset();
    cleared = Promise.all([cleared, batchAPI.reset()]);
  };
  const startedMs = performance.now();
  const server = createServer((request, response) => {
    const route = routeOf(request.method ?? "GET", request.url ?? "/");
    if (route.kind === "bill") return answerAboutItself(request, response, service.bill());
    if (route.kind === "batch-statistics") return answerAboutItself(request, response, batchAPI.read());
    if (route.kind === "batch") return serveBatch({ request, response, route, batchAPI, requests });
    if (route.kind === "statistics" || route.kind === "reset") {
      if (route.kind === "reset") reset();
      return answerAboutItself(request, response, statistics.read());
    }
    serve({ request, response, route, statistics, service, nowMs: performance.now() - startedMs });
  });
  server.keepAliveTimeout = 0; // a connection that the server ends while a request is sent would be a fault that no option asks for
  server.on("connection", () => statistics.connected());
  const actualPort = await listen(server, port, host);
  return {
    url: `http://${host.includes(":") ? `[${host}]` : host}:${actualPort}`,
    port: actualPort,
    statistics: () => statistics.read(),
    bill: () => service.bill(),
    batches: () => batchAPI.read(),
    reset,
    update: (changes) => {
      checkSimulatorChanges(changes);
      service.update(changes);
    },
    close: async () => {
      await close(server);
      await Promise.all([cleared, batchAPI.close()]);
    },
  };
}

const maxBodyBytes = 16 * 1024 * 1024;

interface Served {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly route: Exclude<Route, { readonly kind: "statistics" | "batch-statistics" | "bill" | "reset" | "batch" }>;
  readonly statistics: StatisticsCounter;
  readonly service: ChatService;
  readonly nowMs: number;
}

function serve({ request, response, route, statistics, service, nowMs }: Served): void {
  const number = statistics.arrived();
  const exchange = new Exchange(request, response, statistics, number);
  readBody(request, maxBodyBytes, (body) => {
    if (body === undefined) {
      const message = `The body is larger than ${maxBodyBytes} bytes.`;
      return exchange.reply(errorReply(413, { message, code: "413" }));
    }
    if (route.kind !== "chat") return exchange.reply(routeErrorReply(route));
    const { deployment, apiVersion } = route;
    try {
      const decision = service.decide({ number, deployment, apiVersion, headers: request.headers, body, nowMs });
      note(decision, statistics);
      exchange.meet(decision, body);
    } catch (error) {
      exchange.fail(error);
    }
  });
}

interface ServedBatch extends Pick<Served, "request" | "response"> {
  readonly route: BatchRoute;
  readonly batchAPI: BatchAPI;
  readonly requests: StatisticsCounter;
}

function serveBatch({ request, response, route, batchAPI, requests }: ServedBatch): void {
  const number = requests.arrived();
  const exchange = new Exchange(request, response, requests, number);
  batchAPI.decide({ ...route, number, request }).then(
    (outcome) => exchange.meetBatch(outcome),
    (error: unknown) => exchange.fail(error),
  );
}

function note({ fault, turnedAwayBy }: Decision, statistics: StatisticsCounter): void {
  if (fault !== undefined) statistics.faulted(fault);
  if (turnedAwayBy === "limit") statistics.rateLimited();
  if (turnedAwayBy === "shortage") statistics.flexShortage();
}

function routeErrorReply(route: Extract<Route, { readonly kind: "wrong-method" | "not-found" }>): Reply {
  if (route.kind === "not-found") return errorReply(404, { message: route.reason, code: "404" });
  const message = `The method is not allowed here; ${route.allowed} is.`;
  return errorReply(405, { message, code: "405" }, ["allow", route.allowed]);
}

function answerAboutItself(request: IncomingMessage, response: ServerResponse, figures: object): void {
  request.resume();
  const body = JSON.stringify(figures);
  response.writeHead(200, { "content-type": "application/json", "content-length": Buffer.byteLength(body) }).end(body);
}

async function listen(server: Server, port: number, host: string): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    const onError = (error: Error): void =>
      reject(
        new OptionError("startAzureOpenAISimulator", "port", `can't listen on ${host}:${port} (${messageOf(error)})`, {
          hint: "check the host, or choose another port (0 for a free one)",
        }),
      );
    server.once("error", onError);
    server.listen({ port, host, backlog: 4096 }, () => {
      server.off("error", onError);
      resolve();
    });
  });
  const address = server.address();
  return typeof address === "object" && address !== null ? address.port : port;
}

async function close(server: Server): Promise<void> {
  if (!server.listening) return;
  await new Promise<void>((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
