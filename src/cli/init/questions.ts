import type { Readable, Writable } from "node:stream";
import type { Template, Templates } from "./templates.ts";

/** The choices of which a project is made. */
export interface Choices {
  readonly folder: string;
  readonly source: Template;
  readonly provider: Template;
}

/** The streams for questions and their answers. */
export interface Streams {
  readonly input: Readable;
  readonly output: Writable;
}

/** Asks, in a terminal, for each choice that was not given. Undefined if it was cancelled, as with Ctrl-C. */
export async function askForChoices(
  given: Partial<Choices>,
  { sources, providers }: Templates,
  streams: Streams,
): Promise<Choices | undefined> {
  const { isCancel, select, text } = await import("@clack/prompts");
  const folder =
    given.folder ??
    (await text({ message: "Which folder?", placeholder: ". (this one)", defaultValue: ".", ...streams }));
  if (isCancel(folder)) return undefined;
  const source =
    given.source ?? (await select({ message: "Where do rows come from?", options: sources.map(optionOf), ...streams }));
  if (isCancel(source)) return undefined;
  const provider =
    given.provider ?? (await select({ message: "Which model answers?", options: providers.map(optionOf), ...streams }));
  return isCancel(provider) ? undefined : { folder, source, provider };
}

function optionOf(template: Template): { value: Template; label: string; hint: string } {
  return { value: template, label: template.label, hint: template.hint };
}
