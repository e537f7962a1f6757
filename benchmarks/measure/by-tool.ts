import { toolNamed, type ToolName } from "../tools/list.ts";
import type { Measurement } from "./measure-tool.ts";
import { median, medianRatio } from "./statistics.ts";

export interface OfTool {
  readonly title: string;
  readonly measurements: readonly Measurement[];
  /** The median over the repetitions. */
  readonly median: (figure: (one: Measurement) => number) => number;
  /** The largest of the repetitions: for what must not happen in any. */
  readonly most: (figure: (one: Measurement) => number) => number;
  /** The median of the ratios to another tool within a repetition; NaN where that was not measured. */
  readonly ratioTo: (other: ToolName, figure: (one: Measurement) => number) => number;
}

/** What was measured, by tool; tools that were not are left out. */
export function byTool(all: readonly Measurement[], names: readonly ToolName[]): OfTool[] {
  return names.flatMap((name) => ofTool(all, name) ?? []);
}

export function ofTool(all: readonly Measurement[], name: ToolName): OfTool | undefined {
  const measurements = all.filter(({ tool }) => tool === name);
  if (measurements.length === 0) return undefined;
  return {
    title: toolNamed(name).title,
    measurements,
    median: (figure) => median(measurements.map(figure)),
    most: (figure) => Math.max(...measurements.map(figure)),
    ratioTo: (other, figure) => {
      const others = all.filter(({ tool }) => tool === other);
      return medianRatio(measurements, others, figure);
    },
  };
}
