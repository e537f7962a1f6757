import type mssql from "mssql";
import type { Connection, config as DriverConfig } from "mssql";
import { loadPackage } from "../../errors/load-package.ts";
import { endWithConnection } from "./closed-connection.ts";

/** The driver, as `import mssql from "mssql"` gives it. */
export type Driver = typeof mssql;

/** @throws {RunError} SETTING_MISSING where it is not installed; the message says what to install */
export async function loadDriver(
  owner: string,
  load: () => Promise<{ readonly default: Driver }> = () => import("mssql"),
): Promise<Driver> {
  return (await loadPackage(owner, "mssql", "npm install mssql@12", load)).default;
}

/**
 * The settings for a pool of ours. The driver keeps them, and each connection a copy: their secrets are made invisible to
 * whoever inspects a pool, a request or an error that leads to one. The number of a denied login, which the driver
 * drops, is put on its error.
 */
export function poolConfig(config: DriverConfig, onConnecting: (connection: Connection) => void): DriverConfig {
  const options = { ...config.authentication?.options };
  hideSecrets(options);
  return {
    ...config,
    options: { ...config.options }, // the driver writes into it
    // The same type with the same options, only that inspecting skips some.
    authentication: { ...config.authentication, options } as NonNullable<DriverConfig["authentication"]>,
    beforeConnect: (connection) => {
      hideSecrets(member(member(member(connection, "config"), "authentication"), "options"));
      keepLoginNumber(connection);
      endWithConnection(connection);
      onConnecting(connection);
    },
  };
}

const secretNames = ["password", "clientSecret", "token", "credential"] as const;

/** The secrets that are text: no message may hold them. */
export function secretsOf({ authentication }: DriverConfig): readonly string[] {
  return secretNames.map((name) => member(authentication?.options, name)).filter((value) => typeof value === "string");
}

function hideSecrets(options: unknown): void {
  if (typeof options !== "object" || options === null) return;
  for (const name of secretNames) {
    if (Object.hasOwn(options, name)) Object.defineProperty(options, name, { enumerable: false });
  }
}

function member(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null ? Reflect.get(value, name) : undefined;
}

/**
 * The server may say several things about one login: 4060 (no such database), then 18456 (login failed). The first that is not
 * 18456 is the reason.
 */
function keepLoginNumber(connection: Connection): void {
  const said: number[] = [];
  const listen = (token: unknown): void => {
    const number = member(token, "number");
    if (typeof number === "number") said.push(number);
  };
  connection.on("errorMessage", listen);
  connection.once("connect", (error) => {
    connection.off("errorMessage", listen);
    const number = said.find((each) => each !== 18_456) ?? said[0];
    if (error !== undefined && number !== undefined) Object.assign(error, { number });
  });
}
