import { appLockCall } from "./app-locks.ts";
import { type CatalogHandler, catalogMarkers } from "./catalog.ts";
import type { Session, Variables } from "./database.ts";
import { describe, unknownProcedure } from "./execute.ts";
import type { Faults } from "./faults.ts";
import type { ResponseWriter } from "./packets.ts";
import { parseBatch } from "./parse-statement.ts";
import { bind, type BulkRows, loadBulk, parseDeclarations, type ProcedureCall, quotedIdentifiers } from "./requests.ts";
import { notUnderstood, SQLError, syntaxError } from "./sql-error.ts";
import { type SQLType, textOf, type Value } from "./sql-type.ts";
import { type Keeps, StatementRunner } from "./statement-runner.ts";
import type { Action, Statement } from "./syntax.ts";
import { doneTokens, writeDone, writeError, writeReturnStatus, writeReturnValue } from "./tokens.ts";

/** A request as it came. */
export interface LoggedStatement {
  readonly kind: "batch" | "rpc" | "prepare" | "prepared" | "transaction" | "bulk";
  readonly text: string;
  readonly connection: number;
  readonly parameters: Readonly<Record<string, Value>>;
}

/** What requests need of the server. */
export interface ServerHooks {
  readonly version: readonly [number, number, number];
  readonly faults: Faults;
  readonly handlers: readonly (readonly [RegExp, CatalogHandler])[];
  readonly onRequest: (statement: LoggedStatement) => void;
  readonly onRow: () => void;
}

/** Answers the requests of one connection, one after the other. */
export class RequestHandler {
  readonly #session: Session;
  readonly #hooks: ServerHooks;
  readonly #connection: number;
  readonly #runner: StatementRunner;
  readonly #prepared = new Map<number, { text: string; declared: Map<string, SQLType> }>();
  #nextHandle = 1;
  #bulk: (Action & { kind: "insert bulk" }) | undefined;
  #initial = true;
  /** What the last procedure returned. */
  #returned = 0;

  constructor(session: Session, hooks: ServerHooks, connection: number) {
    this.#session = session;
    this.#hooks = hooks;
    this.#connection = connection;
    this.#runner = new StatementRunner(session, hooks);
  }

  readonly batch = async (text: string, writer: ResponseWriter, signal: AbortSignal): Promise<Keeps> => {
    // The driver sets its options right after the login: that is part of the login here, and not logged.
    const initial = this.#initial && text.startsWith("set ansi_nulls o");
    this.#initial = false;
    if (!initial) this.#log("batch", text, {});
    const keeps = await this.#run(text, new Map(), doneTokens.done, writer, signal);
    writeDone(writer.tokens, doneTokens.done);
    return keeps;
  };

  readonly call = async (request: ProcedureCall, writer: ResponseWriter, signal: AbortSignal): Promise<Keeps> => {
    const { procedure, parameters } = request;
    const { tokens } = writer;
    const before = this.#session.transaction?.count ?? 0;
    const temporary = new Set(this.#session.temporaryTables.keys());
    let keeps: Keeps = "keep";
    let status = 0;
    this.#returned = 0;
    try {
      keeps = await this.#procedure(request, writer, signal);
      const after = this.#session.transaction?.count ?? 0;
      if (after > before) {
        const message =
          "Transaction count after EXECUTE indicates a mismatching number of BEGIN and COMMIT statements.";
        writeError(
          tokens,
          new SQLError(266, `${message} Previous count = ${before}, current count = ${after}.`, { state: 2 }),
        );
        writeDone(tokens, doneTokens.inProcedure, { more: true, failed: true });
      }
    } catch (error) {
      if (!(error instanceof SQLError)) throw error;
      status = error.number;
      if (!(procedure in logKinds)) this.#log("rpc", procedure, named(parameters));
      writeError(tokens, error, procedure);
    }
    // What was made inside of the procedure goes with it.
    for (const name of this.#session.temporaryTables.keys())
      if (!temporary.has(name)) this.#session.temporaryTables.delete(name);
    writeReturnStatus(tokens, status === 0 ? this.#returned : status);
    writeDone(tokens, doneTokens.procedure, { failed: status !== 0 });
    return keeps;
  };

  readonly transaction = async (
    { what, name, isolation }: { what: "begin" | "commit" | "rollback" | "save"; name: string; isolation: string },
    writer: ResponseWriter,
    signal: AbortSignal,
  ): Promise<Keeps> => {
    const text = `${what.toUpperCase()} TRANSACTION`;
    this.#log("transaction", text, {});
    if (isolation !== "") this.#session.settings.set("ISOLATION", isolation);
    const action: Action = { kind: "transaction", what, name };
    const keeps = await this.#runner.statements(
      [{ action, text, line: 1, reads: [] }],
      new Map(),
      doneTokens.done,
      writer,
      signal,
    );
    writeDone(writer.tokens, doneTokens.done);
    return keeps;
  };

  readonly bulk = async (read: () => BulkRows, writer: ResponseWriter, signal: AbortSignal): Promise<Keeps> => {
    const action = this.#bulk;
    this.#bulk = undefined;
    const text = `BULK ROWS ${action?.target.path.join(".") ?? ""}`;
    this.#log("bulk", text, {});
    return this.#runner.guarded(text, doneTokens.done, writer, signal, async () => {
      if (action === undefined) throw notUnderstood("bulk rows without INSERT BULK");
      const { database } = this.#session;
      const table = database.find(action.target.path, this.#session);
      if (table === undefined) throw new SQLError(208, `Invalid object name '${action.target.path.join(".")}'.`);
      const held = database.locks.holds(this.#session, table);
      const timeoutMs = Number(this.#session.settings.get("LOCK_TIMEOUT"));
      if (!table.isTemporary) await database.locks.take(this.#session, table, "exclusive", timeoutMs, signal);
      try {
        const count = loadBulk(table, action, read(), this.#session);
        writeDone(writer.tokens, doneTokens.done, { count });
      } finally {
        if (!held && this.#session.transaction === undefined) database.locks.release(this.#session, table);
      }
    });
  };

  async #procedure(
    { procedure, parameters }: ProcedureCall,
    writer: ResponseWriter,
    signal: AbortSignal,
  ): Promise<Keeps> {
    const [first, second, third] = parameters;
    switch (procedure) {
      case "sp_executesql": {
        const text = textOf(first?.value ?? "");
        const passed = parameters.slice(2);
        this.#log("rpc", text, named(passed));
        const variables = bind(parseDeclarations(textOf(second?.value ?? "")), passed);
        const keeps = await this.#run(text, variables, doneTokens.inProcedure, writer, signal);
        for (const { name, output } of passed) {
          const variable = variables.get(name.toLowerCase());
          if (output && variable !== undefined) writeReturnValue(writer.tokens, name, variable.type, variable.value);
        }
        return keeps;
      }
      case "sp_prepare": {
        const text = textOf(third?.value ?? "");
        this.#log("prepare", text, {});
        this.#parse(text);
        const handle = this.#nextHandle++;
        this.#prepared.set(handle, { text, declared: parseDeclarations(textOf(second?.value ?? "")) });
        writeReturnValue(writer.tokens, "@handle", { name: "int" }, handle);
        return "keep";
      }
      case "sp_execute": {
        const prepared = this.#prepared.get(Number(first?.value));
        if (prepared === undefined)
          throw new SQLError(8179, `Could not find prepared statement with handle ${textOf(first?.value)}.`);
        const passed = parameters.slice(1);
        this.#log("prepared", prepared.text, named(passed));
        return this.#run(prepared.text, bind(prepared.declared, passed), doneTokens.inProcedure, writer, signal);
      }
      case "sp_unprepare":
        this.#prepared.delete(Number(first?.value));
        return "keep";
      case "sp_describe_first_result_set": {
        const text = textOf(first?.value ?? "");
        this.#log("rpc", procedure, named(parameters));
        const declared = parseDeclarations(textOf(second?.value ?? ""));
        const variables: Variables = new Map([...declared].map(([name, type]) => [name, { type, value: null }]));
        const done = doneTokens.inProcedure;
        return this.#runner.guarded(procedure, done, writer, signal, async () => {
          await this.#runner.send(describe(text, { session: this.#session, variables }), done, writer, signal);
        });
      }
      case "sp_getapplock":
      case "sp_releaseapplock": {
        const { appLocks } = this.#session.database;
        const given = new Map(parameters.map(({ name, value }) => [name.toLowerCase(), value]));
        this.#log("rpc", procedure, named(parameters));
        return this.#runner.guarded(procedure, doneTokens.inProcedure, writer, signal, () => {
          this.#returned = appLocks.call(procedure, appLockCall(given), this.#session);
        });
      }
      default:
        throw unknownProcedure(procedure);
    }
  }

  #parse(text: string): Statement[] {
    return parseBatch(text, quotedIdentifiers(this.#session));
  }

  /** All statements of the text, or what a handler has for it. */
  async #run(
    text: string,
    variables: Variables,
    done: number,
    writer: ResponseWriter,
    signal: AbortSignal,
  ): Promise<Keeps> {
    const handler =
      this.#hooks.handlers.find(([pattern]) => pattern.test(text))?.[1] ??
      Object.entries(catalogMarkers).find(([marker]) => text.includes(marker))?.[1];
    if (handler !== undefined) {
      const parameters = Object.fromEntries([...variables].map(([name, { value }]) => [name.slice(1), value]));
      return this.#runner.guarded(text, done, writer, signal, async () => {
        for (const result of handler({ text, parameters, session: this.#session }))
          await this.#runner.send(result, done, writer, signal);
      });
    }
    let statements: Statement[];
    try {
      statements = this.#parse(text);
      for (const statement of statements) refuse(statement, this.#session);
    } catch (error) {
      if (!(error instanceof SQLError)) throw error;
      return this.#runner.fail(error, done, writer);
    }
    const [first] = statements;
    if (first?.action.kind === "insert bulk") {
      const { action } = first;
      return this.#runner.guarded(first.text, done, writer, signal, () => {
        if (this.#session.database.find(action.target.path, this.#session) === undefined) {
          throw new SQLError(208, `Invalid object name '${action.target.path.join(".")}'.`);
        }
        this.#bulk = action;
      });
    }
    return this.#runner.statements(statements, variables, done, writer, signal);
  }

  #log(kind: LoggedStatement["kind"], text: string, parameters: Readonly<Record<string, Value>>): void {
    this.#hooks.onRequest({ kind, text, parameters, connection: this.#connection });
  }
}

const logKinds = {
  sp_executesql: true,
  sp_prepare: true,
  sp_execute: true,
  sp_unprepare: true,
  sp_describe_first_result_set: true,
  sp_getapplock: true,
  sp_releaseapplock: true,
};

function named(parameters: ProcedureCall["parameters"]): Record<string, Value> {
  return Object.fromEntries(
    parameters.map(({ name, value }, index) => [name === "" ? String(index + 1) : name.slice(1), value]),
  );
}

function refuse({ text, line }: Statement, { database }: Session): void {
  for (const pattern of database.options.refuses) {
    if (pattern.test(text)) throw syntaxError(pattern.exec(text)?.[0] ?? text, line);
  }
}
