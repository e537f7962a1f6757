/**
 * The functions of a CPU profile by their own time, and the sums by package. Usage: node benchmarks/report/profile.ts
 * <file.cpuprofile | file.heapprofile> [how many].
 */
import { readFileSync } from "node:fs";

interface CallFrame {
  readonly functionName: string;
  readonly url: string;
  readonly lineNumber: number;
}

interface CPUProfile {
  readonly nodes: readonly { readonly id: number; readonly callFrame: CallFrame }[];
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

interface HeapNode {
  readonly callFrame: CallFrame;
  readonly selfSize: number;
  readonly children: readonly HeapNode[];
}

const [path = "", count = "40"] = process.argv.slice(2);
const profile: CPUProfile | { readonly head: HeapNode } = JSON.parse(readFileSync(path, "utf8"));
const byFunction = new Map<string, number>();
const byPackage = new Map<string, number>();
let total = 0;

if ("head" in profile) addHeap(profile.head);
else addSamples(profile);
print("by package", byPackage, 30);
print("by function", byFunction, Number(count));

function addSamples({ nodes, samples, timeDeltas }: CPUProfile): void {
  const frames = new Map(nodes.map(({ id, callFrame }) => [id, callFrame]));
  for (const [index, id] of samples.entries()) {
    const frame = frames.get(id);
    if (frame !== undefined && frame.functionName !== "(idle)") add(frame, (timeDeltas[index] ?? 0) / 1000);
  }
}

function addHeap({ callFrame, selfSize, children }: HeapNode): void {
  add(callFrame, selfSize / 1024);
  for (const child of children) addHeap(child);
}

function add({ functionName, url, lineNumber }: CallFrame, amount: number): void {
  const file = url.replace(/^.*\/node_modules\//, "").replace(/^.*\/(?=(dist|benchmarks)\/)/, "");
  const name = `${functionName === "" ? "(anonymous)" : functionName} ${file}:${lineNumber + 1}`;
  total += amount;
  byFunction.set(name, (byFunction.get(name) ?? 0) + amount);
  const group = packageOf(url, functionName);
  byPackage.set(group, (byPackage.get(group) ?? 0) + amount);
}

function packageOf(url: string, functionName: string): string {
  if (url === "") return functionName.startsWith("(") ? functionName : "built in";
  if (url.startsWith("node:")) return `node:${url.slice(5).split("/").slice(0, 2).join("/")}`;
  const installed = /\/node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(url)?.[1];
  return installed ?? /\/(dist\/[^/]+|benchmarks)\//.exec(url)?.[1] ?? url;
}

function print(title: string, amounts: ReadonlyMap<string, number>, rows: number): void {
  const unit = "head" in profile ? "KiB" : "ms";
  console.log(`\n${title} (${Math.round(total)} ${unit} in all)`);
  const ordered = [...amounts].toSorted(([, left], [, right]) => right - left).slice(0, rows);
  for (const [name, amount] of ordered) {
    console.log(
      `${((100 * amount) / total).toFixed(1).padStart(5)} %  ${amount.toFixed(0).padStart(7)} ${unit}  ${name}`,
    );
  }
}
