import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { Database, Session } from "./database.ts";
import {
  afterHeaders,
  federatedFeature,
  type Login,
  preloginAnswer,
  readFederatedToken,
  readLogin,
  utf8Feature,
  wantsEncryption,
} from "./login.ts";
import { type Message, MessageReader, packets, packetTypes, ResponseWriter } from "./packets.ts";
import { RequestHandler, type ServerHooks } from "./request-handler.ts";
import { readBulk, readCall, readTransaction } from "./requests.ts";
import { notUnderstood, SQLError } from "./sql-error.ts";
import {
  changes,
  doneTokens,
  writeChange,
  writeCollationChange,
  writeDone,
  writeError,
  writeFeatureAcknowledgements,
  writeFederatedInformation,
  writeLoginAck,
  writeTextChange,
} from "./tokens.ts";
import { strictTLS, wrappedTLS } from "./transport.ts";

/** What a connection asks of the server. */
export interface ConnectionHooks extends ServerHooks {
  /** The error with which a login is refused. */
  readonly checkLogin: (login: Login) => SQLError | undefined;
  readonly onLogin: (login: Login, encrypted: boolean) => void;
}

/** One client, from its first byte to its last. */
export class Connection {
  readonly id: number;
  readonly #socket: Socket;
  readonly #database: Database;
  readonly #hooks: ConnectionHooks;
  #stream: Duplex;
  #encrypted = false;
  #waiting: ((message: Message | undefined) => void) | undefined;
  readonly #messages: Message[] = [];
  #closed = false;
  #running: AbortController | undefined;

  constructor(id: number, socket: Socket, database: Database, hooks: ConnectionHooks) {
    this.id = id;
    this.#socket = socket;
    this.#database = database;
    this.#hooks = hooks;
    this.#stream = socket;
  }

  /** Resolves when the client has gone. */
  readonly serve = async (): Promise<void> => {
    this.#socket.setNoDelay(true);
    this.#socket.on("close", this.#close);
    this.#socket.on("error", this.#close);
    const session = this.#database.open(this.id);
    try {
      this.#socket.once("data", (first: Buffer) => {
        this.#socket.pause();
        this.#socket.unshift(first);
        if (first[0] === 0x16) this.#listen(strictTLS(this.#socket), true);
        else this.#listen(this.#socket, false);
      });
      const login = await this.#login();
      if (login !== undefined) await this.#serveRequests(session, Math.min(Math.max(login.packetSize, 512), 32_767));
    } finally {
      if (this.#stream.writableEnded) await this.#gone(); // an error is on its way: it must arrive
      this.drop();
      this.#database.close(session);
    }
  };

  /** The client closes once it has read the last answer. */
  #gone(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#closed) {
        resolve();
        return;
      }
      const timer = setTimeout(resolve, 2000);
      this.#socket.once("close", () => {
        clearTimeout(timer);
        resolve();
      });
    });
  }

  /** Breaks the connection, with no word to the client. */
  readonly drop = (): void => {
    this.#socket.destroy();
    this.#close();
  };

  readonly #close = (): void => {
    this.#closed = true;
    this.#running?.abort();
    this.#waiting?.(undefined);
  };

  #listen(stream: Duplex, encrypted: boolean): void {
    this.#stream = stream;
    this.#encrypted = encrypted;
    const reader = new MessageReader(this.#receive);
    stream.on("data", (chunk: Buffer) => {
      try {
        reader.feed(chunk);
      } catch {
        this.drop(); // not TDS
      }
    });
    stream.on("error", this.#close);
    stream.on("end", this.#close);
    stream.resume();
  }

  readonly #receive = (message: Message): void => {
    if (message.type === packetTypes.attention) this.#running?.abort();
    const waiting = this.#waiting;
    this.#waiting = undefined;
    if (waiting === undefined) this.#messages.push(message);
    else waiting(message);
  };

  #next(): Promise<Message | undefined> {
    const message = this.#messages.shift();
    if (message !== undefined || this.#closed) return Promise.resolve(message);
    return new Promise((resolve) => {
      this.#waiting = resolve;
    });
  }

  /** Undefined if the client is refused, or goes. */
  async #login(): Promise<Login | undefined> {
    const first = await this.#next();
    if (first?.type !== packetTypes.prelogin) return undefined;
    const strict = this.#encrypted;
    const encrypts = !strict && wantsEncryption(first.data);
    const { version } = this.#hooks;
    if (encrypts) this.#socket.removeAllListeners("data");
    this.#stream.write(packets(packetTypes.response, preloginAnswer(version, encrypts)));
    if (encrypts) this.#listen(wrappedTLS(this.#socket), true);
    const second = await this.#next();
    if (second?.type !== packetTypes.login) return undefined;
    let login = readLogin(second.data);
    if (login.federated === "library") {
      const writer = new ResponseWriter(this.#stream, 4096);
      writeFederatedInformation(writer.tokens, "https://login.example/tenant", "https://database.example/");
      writer.end();
      const third = await this.#next();
      if (third?.type !== packetTypes.federatedToken) return undefined;
      login = { ...login, accessToken: readFederatedToken(third.data) };
    }
    return this.#answerLogin(login) ? login : undefined;
  }

  #answerLogin(login: Login): boolean {
    const writer = new ResponseWriter(this.#stream, 4096);
    const { tokens } = writer;
    const refusal = this.#hooks.checkLogin(login);
    if (refusal !== undefined) {
      writeError(tokens, refusal);
      writeDone(tokens, doneTokens.done, { failed: true });
      writer.end();
      this.#stream.end();
      return false;
    }
    this.#hooks.onLogin(login, this.#encrypted);
    const { name, collation } = this.#database.options;
    writeTextChange(tokens, changes.database, name, "master");
    writeCollationChange(tokens, collation);
    writeTextChange(tokens, changes.language, "us_english", "");
    writeLoginAck(tokens, this.#hooks.version);
    writeTextChange(tokens, changes.packetSize, String(login.packetSize), "4096");
    const acknowledged = login.features.map(
      (id) => [id, id === utf8Feature ? Uint8Array.of(1) : new Uint8Array()] as const,
    );
    writeFeatureAcknowledgements(
      tokens,
      acknowledged.filter(([id]) => id !== federatedFeature || login.federated !== "none"),
    );
    writeDone(tokens, doneTokens.done);
    writer.end();
    return true;
  }

  async #serveRequests(session: Session, packetSize: number): Promise<void> {
    const handler = new RequestHandler(session, this.#hooks, this.id);
    for (;;) {
      const message = await this.#next();
      if (message === undefined) return;
      const writer = new ResponseWriter(this.#stream, packetSize);
      if (message.type === packetTypes.attention) writeDone(writer.tokens, doneTokens.done, { attention: true });
      else {
        this.#running = new AbortController();
        const keeps = await this.#request(message, handler, writer, session, this.#running.signal);
        this.#running = undefined;
        if (keeps === "drop" || this.#closed) return;
        if (keeps === "close") {
          writer.end();
          this.#stream.end();
          return;
        }
      }
      writer.end();
    }
  }

  async #request(
    message: Message,
    handler: RequestHandler,
    writer: ResponseWriter,
    session: Session,
    signal: AbortSignal,
  ): Promise<"keep" | "drop" | "close"> {
    if (message.resetConnection) {
      this.#database.reset(session);
      writeChange(writer.tokens, changes.reset, Buffer.alloc(0), Buffer.alloc(0));
    }
    if (message.ignored) {
      writeDone(writer.tokens, doneTokens.done);
      return "keep";
    }
    const { type, data } = message;
    try {
      if (type === packetTypes.batch) {
        const input = afterHeaders(data);
        return await handler.batch(input.ucs2(input.left / 2), writer, signal);
      }
      if (type === packetTypes.rpc) return await handler.call(readCall(afterHeaders(data)), writer, signal);
      if (type === packetTypes.transaction)
        return await handler.transaction(readTransaction(afterHeaders(data)), writer, signal);
      if (type === packetTypes.bulk) return await handler.bulk(() => readBulk(afterNothing(data)), writer, signal);
      throw notUnderstood(`packet type ${type}`);
    } catch (error) {
      // Whatever goes wrong in this server is an error of the request, for the test to see: no request is left without an answer.
      const shown =
        error instanceof SQLError
          ? error
          : new SQLError(50_000, `test server: ${error instanceof Error ? (error.stack ?? error.message) : "failed"}`);
      writeError(writer.tokens, shown);
      writeDone(writer.tokens, doneTokens.done, { failed: true });
      return "keep";
    }
  }
}

function afterNothing(data: Buffer): ReturnType<typeof afterHeaders> {
  return afterHeaders(Buffer.concat([Buffer.from([4, 0, 0, 0]), data]));
}
