import { existsSync, globSync, readFileSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export interface InstalledSize {
  readonly name: string;
  /** On the disk, in whole blocks, as `du` counts. */
  readonly mebibytes: number;
}

const root = fileURLToPath(new URL("../..", import.meta.url));
const peers = join(root, "benchmarks/peers");

/** Of llm-etl, and of the peers if they are installed: with all that they depend on. */
export async function installedSizes(): Promise<InstalledSize[]> {
  const { files } = manifestIn(root);
  const published = ["package.json", "README.md", "LICENSE", ...files].map((file) => join(root, file));
  const dependencies = closure([root]);
  dependencies.delete(root);
  const own = { name: "llm-etl", mebibytes: sizeOf([...published, ...dependencies]) };
  const others = [
    ["openai, p-limit, zod", ["openai", "p-limit", "zod"]],
    ["ai, @ai-sdk/azure, p-limit, zod", ["ai", "@ai-sdk/azure", "p-limit", "zod"]],
  ] as const;
  if (!existsSync(join(peers, "node_modules"))) return [own];
  return [
    own,
    ...others.map(([name, packages]) => ({
      name,
      mebibytes: sizeOf([...closure(packages.map((one) => folderOf(one, peers)))]),
    })),
  ];
}

interface Manifest {
  readonly dependencies: Readonly<Record<string, string>>;
  readonly files: readonly string[];
}

function manifestIn(folder: string): Manifest {
  const { dependencies = {}, files = [] } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  return { dependencies, files };
}

/** The folders of packages and of all that they depend on. */
function closure(folders: readonly string[]): Set<string> {
  const reached = new Set(folders);
  for (const folder of reached) {
    for (const name of Object.keys(manifestIn(folder).dependencies)) reached.add(folderOf(name, folder));
  }
  return reached;
}

/** Where Node finds a package, seen from a folder. */
function folderOf(name: string, from: string): string {
  const folder = join(from, "node_modules", name);
  if (existsSync(folder)) return folder;
  if (from === dirname(from)) throw new Error(`${name} is not installed`);
  return folderOf(name, dirname(from));
}

function sizeOf(paths: readonly string[]): number {
  const files = paths.flatMap((path) =>
    statSync(path).isDirectory() ? globSync("**/*", { cwd: path }).map((file) => join(path, file)) : [path],
  );
  return files.reduce((sum, file) => sum + statSync(file).blocks * 512, 0) / 2 ** 20;
}
