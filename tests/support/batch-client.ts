import { setTimeout } from "node:timers/promises";
import { z } from "zod";
import { chat, send, type Received, type Sent } from "./simulator.ts";

const Batch = z.object({
  id: z.string(),
  object: z.literal("batch"),
  endpoint: z.string(),
  status: z.string(),
  input_file_id: z.string().optional(),
  output_file_id: z.string().nullable().optional(),
  error_file_id: z.string().nullable().optional(),
  created_at: z.number(),
  expires_at: z.number(),
  completed_at: z.number().nullable(),
  request_counts: z.object({ total: z.number(), completed: z.number(), failed: z.number() }).nullable(),
  metadata: z.record(z.string(), z.string()).nullable().optional(),
  errors: z
    .object({ object: z.literal("list"), data: z.array(z.object({ code: z.string(), line: z.number().nullable() })) })
    .nullable(),
});
export type ShownBatch = z.infer<typeof Batch>;

const ShownFile = z.object({ id: z.string(), object: z.literal("file"), bytes: z.number(), purpose: z.string() });

const List = z.object({
  data: z.array(Batch),
  first_id: z.string().nullable(),
  last_id: z.string().nullable(),
  has_more: z.boolean(),
});

const Line = z.object({
  id: z.string(),
  custom_id: z.string(),
  response: z.object({ status_code: z.number(), request_id: z.string(), body: z.unknown() }).nullable(),
  error: z.object({ code: z.string(), message: z.string() }).nullable(),
});
export type ShownLine = z.infer<typeof Line>;

/** The line of an input file. */
export function inputLine(customId: string, body: object = chat(`Row ${customId}`), others: object = {}): string {
  return JSON.stringify({ custom_id: customId, method: "POST", url: "/v1/chat/completions", body, ...others });
}

/** Lines `r0`, `r1`, … */
export function inputLines(count: number): string {
  return Array.from({ length: count }, (_, index) => inputLine(`r${index}`)).join("\n");
}

/** A client of the Files and Batch APIs, over connections of its own. */
export class BatchClient {
  readonly #simulator: { readonly url: string };
  readonly #prefix: string;
  readonly #query: string;

  constructor(simulator: { readonly url: string }, prefix = "/openai/v1", query = "") {
    this.#simulator = simulator;
    this.#prefix = prefix;
    this.#query = query;
  }

  async send(method: string, path: string, sent: Omit<Sent, "path" | "method"> = {}): Promise<Received> {
    const query = path.includes("?") ? this.#query.replace("?", "&") : this.#query;
    return await send(this.#simulator, { ...sent, method, path: `${this.#prefix}${path}${query}` });
  }

  /** Sends the form of an upload. */
  async sendUpload(content: string | Buffer, purpose = "batch"): Promise<Received> {
    const form = new FormData();
    form.set("purpose", purpose);
    form.set("file", new Blob([new Uint8Array(Buffer.from(content))]), "in.jsonl");
    const encoded = new Response(form);
    const body = Buffer.from(await encoded.arrayBuffer());
    return await this.send("POST", "/files", {
      body,
      headers: { "content-type": encoded.headers.get("content-type") ?? "" },
    });
  }

  async upload(content: string | Buffer): Promise<string> {
    return ShownFile.parse(JSON.parse((await this.sendUpload(content)).body)).id;
  }

  async sendCreate(inputFileId: string, others: object = {}): Promise<Received> {
    const order = { input_file_id: inputFileId, endpoint: "/v1/chat/completions", completion_window: "24h", ...others };
    return await this.send("POST", "/batches", { body: order });
  }

  async create(inputFileId: string, others: object = {}): Promise<ShownBatch> {
    return Batch.parse(JSON.parse((await this.sendCreate(inputFileId, others)).body));
  }

  async poll(id: string): Promise<ShownBatch> {
    return Batch.parse(JSON.parse((await this.send("GET", `/batches/${id}`)).body));
  }

  async list(query = ""): Promise<z.infer<typeof List>> {
    return List.parse(JSON.parse((await this.send("GET", `/batches${query}`)).body));
  }

  /** The batch when it has the status, or has ended. */
  async whenIts(id: string, status: string): Promise<ShownBatch> {
    for (;;) {
      const batch = await this.poll(id);
      const isEnd = ["completed", "failed", "expired", "cancelled"].includes(batch.status.toLowerCase());
      if (batch.status.toLowerCase() === status || isEnd) return batch;
      await setTimeout(1);
    }
  }

  /** Uploads lines, makes a batch of them, and waits for its end. */
  async run(content: string | Buffer, others: object = {}): Promise<ShownBatch> {
    const { id } = await this.create(await this.upload(content), others);
    return await this.whenIts(id, "completed");
  }

  async lines(fileId: string | null | undefined): Promise<ShownLine[]> {
    if (fileId === null || fileId === undefined || fileId === "") return [];
    const { body } = await this.send("GET", `/files/${fileId}/content`);
    return body.split("\n").flatMap((line) => (line === "" ? [] : [Line.parse(JSON.parse(line))]));
  }
}
