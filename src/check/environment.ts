import type { Requirements } from "../contracts/requirements.ts";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Findings } from "./report.ts";
import { RunError } from "../errors/llm-etl-error.ts";
import { packageVersion } from "../files/package-version.ts";

/** A source, a provider, a sink, a journal or the dead letters. */
export interface PartWithRequirements {
  readonly name: string;
  readonly requirements?: Requirements | undefined;
}

const oldestNode = [22, 19] as const;

/** Looks for the needs of the parts: the version of Node, packages, variables. Of a variable it says only if it is set. */
export function checkEnvironment(findings: Findings, parts: readonly PartWithRequirements[]): void {
  checkNode(findings, process.versions.node);
  for (const [name, users] of usersOf(parts, ({ packages }) => packages)) checkPackage(findings, name, users);
  for (const [name, users] of usersOf(parts, ({ environment }) => environment)) checkVariable(findings, name, users);
  for (const [name] of usersOf(parts, ({ optionalEnvironment }) => optionalEnvironment)) {
    if (isSet(name)) findings.add("environment", name, "ok", "set");
  }
}

export function checkNode(findings: Findings, version: string): void {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  const isNewEnough = major > oldestNode[0] || (major === oldestNode[0] && minor >= oldestNode[1]);
  if (isNewEnough) return findings.add("environment", "Node", "ok", version);
  const problem = `${version}, and ${oldestNode.join(".")} is the oldest that will do: install a newer one`;
  findings.add("environment", "Node", "problem", problem);
}

/** Maps each name to the parts that need it, each once. */
function usersOf(
  parts: readonly PartWithRequirements[],
  namesIn: (requirements: Requirements) => readonly string[] | undefined,
): ReadonlyMap<string, readonly string[]> {
  const users = new Map<string, string[]>();
  for (const { name: part, requirements = {} } of parts) {
    for (const name of namesIn(requirements) ?? []) users.set(name, [...(users.get(name) ?? []), part]);
  }
  return new Map([...users].map(([name, all]) => [name, [...new Set(all)]]));
}

function checkPackage(findings: Findings, name: string, users: readonly string[]): void {
  const subject = `package ${name}`;
  const version = versionOf(name);
  if (version !== undefined) return findings.add("environment", subject, "ok", version);
  const problem = `not installed, and ${users.join(" and ")} can't do without`;
  const facts = { where: name, users, hint: `npm install ${name}` };
  findings.addError("environment", subject, new RunError("SETTING_MISSING", problem, { facts }));
}

/** Looks from here, where our parts load it, then from the user's project, where other parts load it. */
function versionOf(name: string): string | undefined {
  const project = pathToFileURL(join(process.cwd(), "pipeline.ts")).href;
  return packageVersion(name, import.meta.url) ?? packageVersion(name, project);
}

function checkVariable(findings: Findings, name: string, users: readonly string[]): void {
  if (isSet(name)) return findings.add("environment", name, "ok", "set");
  const state = process.env[name] === undefined ? "not set" : "blank";
  const problem = `${state}, and ${users.join(" and ")} needs it`;
  const facts = { where: name, state, users, hint: "set it, or give the option that takes its place" };
  findings.addError("environment", name, new RunError("SETTING_MISSING", problem, { facts }));
}

function isSet(name: string): boolean {
  return (process.env[name] ?? "").trim() !== "";
}
