import { messageOf, withoutSecrets } from "../../errors/error-text.ts";
import type { ErrorFacts } from "../../errors/facts.ts";
import { driverFacts, stepToConnect } from "../error-meaning.ts";

/** The parts of a server's address that hold no secret. */
export interface ConnectionPlace {
  /** As in `Server`: `host,1433` or `host\instance`. */
  readonly server: string;
  readonly database: string | undefined;
}

/** The texts that an error must not hold: the password, a client's secret. */
export type Secrets = readonly string[];

export interface ConnectionProblem {
  readonly problem: string;
  readonly facts: ErrorFacts;
}

/** Says why there is no connection: to which server, in the words of the server or the driver, and with the next step. */
export function connectionProblem(error: unknown, place: ConnectionPlace, secrets: Secrets): ConnectionProblem {
  const { server, database } = place;
  const facts = driverFacts(error);
  const where = `SQL Server at ${server}${database === undefined ? "" : `, database ${JSON.stringify(database)}`}`;
  const number = facts.numbers[0];
  const code = number === undefined ? (facts.codes.at(-1) ?? "") : `error ${number}`;
  const said = [code, withoutValues(driverMessage(error), secrets)].filter((text) => text !== "").join(": ");
  const { numbers: errorNumbers, codes: errorCodes } = facts;
  const hint = stepToConnect(facts) ?? (facts.untrusted ? toTrust : undefined);
  return {
    problem: `can't connect to ${where} (${said})`,
    facts: { where: server, database, errorNumbers, errorCodes, hint },
  };
}

/** An AggregateError has no message of its own, only those of its errors. */
function driverMessage(error: unknown): string {
  const message = messageOf(error).trim();
  if (message !== "" || !(error instanceof Error)) return message;
  const inner: readonly unknown[] = [
    ...(error instanceof AggregateError ? error.errors : []),
    "originalError" in error ? error.originalError : error.cause,
  ];
  return (
    inner
      .filter((each) => each instanceof Error)
      .map(driverMessage)
      .find((text) => text !== "") ?? ""
  );
}

function withoutValues(message: string, secrets: Secrets): string {
  let text = message;
  for (const secret of secrets) if (secret !== "") text = text.replaceAll(secret, "***");
  return withoutSecrets(text).slice(0, 500);
}

const toTrust =
  "the server's certificate is not trusted: give its authority to Node (NODE_EXTRA_CA_CERTS=<file.pem>), " +
  "or, where the network is trusted, write TrustServerCertificate=yes (not with Encrypt=strict)";
