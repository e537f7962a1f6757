import type { Readable, Writable } from "node:stream";

export const sources = ["sqlite", "csv", "sql-server"] as const;
export const providers = ["mock", "azure-openai"] as const;
export type SourceKind = (typeof sources)[number];
export type ProviderKind = (typeof providers)[number];

/** What has to be known to make a project. */
export interface Choices {
  readonly folder: string;
  readonly source: SourceKind;
  readonly provider: ProviderKind;
}

/** What is chosen where nobody chooses. */
export const defaultChoices: Choices = { folder: ".", source: "sqlite", provider: "mock" };

/** Where questions are put, and where their answers come from. */
export interface Streams {
  readonly input: Readable;
  readonly output: Writable;
}

/** Asks, in a terminal, for what was not given. Undefined if it was cancelled, as with Ctrl-C. */
export async function askForChoices(given: Partial<Choices>, streams: Streams): Promise<Choices | undefined> {
  const { isCancel, select, text } = await import("@clack/prompts");
  const { folder: here } = defaultChoices;
  const folder =
    given.folder ??
    (await text({ message: "Which folder?", placeholder: `${here} (this one)`, defaultValue: here, ...streams }));
  if (isCancel(folder)) return undefined;
  const source =
    given.source ?? (await select({ message: "Where do rows come from?", options: sourceOptions, ...streams }));
  if (isCancel(source)) return undefined;
  const provider =
    given.provider ?? (await select({ message: "Which model answers?", options: providerOptions, ...streams }));
  return isCancel(provider) ? undefined : { folder, source, provider };
}

const sourceOptions = [
  { value: "sqlite" as const, label: "SQLite", hint: "embedded, runs at once" },
  { value: "csv" as const, label: "CSV files", hint: "runs at once" },
  { value: "sql-server" as const, label: "SQL Server", hint: "needs a server" },
];

const providerOptions = [
  { value: "mock" as const, label: "Mock", hint: "in this process: no key, no cost" },
  { value: "azure-openai" as const, label: "Azure OpenAI", hint: "needs a key" },
];
