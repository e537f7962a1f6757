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
 * one part would destroy what the other keeps. The files that a part replaces another file from, and its locks, count too.
 *
 * @throws {OptionError} naming both
 */
export function requireSeparateFiles(
  pipeline: Pick<ResolvedPipeline, "source" | "sink" | "stores"> & {
    readonly settings: Pick<ResolvedPipeline["settings"], "limit" | "replace">;
  },
): void {
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

function partsOf({
  source,
  sink,
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
    { option: "to", name: `the sink ${sink.name}`, files: sink.files?.(run), databaseFiles: sink.databaseFiles },
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
