import type { Destination } from "../contracts/sink.ts";
import { OptionError } from "../errors/option.ts";
import { realPath } from "../files/real-path.ts";
import { fileIdentity } from "../files/same-file.ts";
import { linesFilesOf } from "../files/lines-file.ts";
import type { ResolvedPipeline } from "./resolve.ts";

interface Part {
  /** The option of the pipeline that names it. */
  readonly option: string;
  /** For messages. */
  readonly name: string;
  readonly files: readonly string[] | undefined;
  /** Files that source and sink may share: the database sees to it that both can use them. */
  readonly databaseFiles?: readonly string[] | undefined;
}

interface SeenFile extends Pick<Part, "option" | "name"> {
  readonly path: string;
  readonly isDatabase: boolean;
}

/**
 * Makes sure that no two parts of a run have one file, by whatever path, link or letter case, and whether it exists yet or not:
 * one part would destroy what the other keeps. The files that a part replaces another file from, and its locks, count too. Nor may two sinks
 * have one target.
 *
 * @throws {OptionError} naming both
 */
export function requireSeparateFiles(
  pipeline: Pick<ResolvedPipeline, "source" | "destinations" | "stores"> & {
    readonly settings: Pick<ResolvedPipeline["settings"], "limit" | "replace">;
  },
): void {
  requireSeparateSinks(pipeline.destinations);
  const seen = new Map<string, SeenFile>();
  for (const { option, name, files = [], databaseFiles = [] } of partsOf(pipeline)) {
    const all = [
      ...files.map((path) => ({ path, isDatabase: false })),
      ...databaseFiles.map((path) => ({ path, isDatabase: true })),
    ];
    for (const { path, isDatabase } of all) {
      const identity = fileIdentity(path);
      if (identity === undefined) continue;
      const other = seen.get(identity);
      if (other === undefined) seen.set(identity, { option, name, path, isDatabase });
      else if (other.option !== option && !(isDatabase && other.isDatabase)) throw sameFile(option, name, path, other);
    }
  }
}

/** The journal knows rows by their sink: two sinks over one target would each take the other's rows for its own. */
function requireSeparateSinks(destinations: readonly Destination[]): void {
  const labels = new Map<string, string>();
  for (const { sink, label = sink.name } of destinations) {
    const other = labels.get(sink.identity);
    if (other !== undefined) {
      const problem = `the sinks ${other} and ${label} write to one target, ${sink.identity}`;
      const hint = "give each a target of its own";
      throw new OptionError("Pipeline", "to", problem, { identity: sink.identity, hint });
    }
    labels.set(sink.identity, label);
  }
}

function partsOf({
  source,
  destinations,
  settings,
  stores: { journal, payloadLog, deadLetter },
}: Parameters<typeof requireSeparateFiles>[0]): readonly Part[] {
  const { limit, replace } = settings;
  const run = { limit: limit === Infinity ? undefined : limit, replace };
  return [
    {
      option: "source",
      name: `the source ${source.name}`,
      files: source.files,
      databaseFiles: source.databaseFiles,
    },
    ...destinations.map(({ sink, label }) => ({
      option: label === undefined ? "to" : `to(${label})`,
      name: `the sink ${label ?? sink.name}`,
      files: sink.files?.(run),
      databaseFiles: sink.databaseFiles,
    })),
    { option: "journal", name: "the journal", files: journal?.files },
    {
      option: "payloadLogPath",
      name: "the payload log",
      files: payloadLog === null ? [] : linesFilesOf(payloadLog.path),
    },
    { option: "deadLetterPath", name: "the dead letters", files: deadLetter?.files },
  ];
}

function sameFile(option: string, name: string, path: string, other: SeenFile): OptionError {
  const isSamePath = realPath(path) === other.path;
  const problem = `${name} and ${other.name} would have one file, ${path}${isSamePath ? "" : `, which is ${other.path}`}`;
  const hint = "give each a file of its own";
  return new OptionError("Pipeline", option, problem, { path, other: other.option, otherPath: other.path, hint });
}
