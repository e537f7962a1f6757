/**
 * Every tool once in each repetition, in turns, each repetition beginning with another tool: what changes on the machine
 * while the benchmark runs meets all of them.
 */
export async function interleave<Tool, Result>(
  tools: readonly Tool[],
  repetitions: number,
  measure: (tool: Tool, repetition: number) => Promise<Result>,
): Promise<Result[]> {
  const results: Result[] = [];
  for (let repetition = 1; repetition <= repetitions; repetition += 1) {
    const first = (repetition - 1) % tools.length;
    for (const tool of [...tools.slice(first), ...tools.slice(0, first)]) results.push(await measure(tool, repetition));
  }
  return results;
}
