/**
 * Runs the project's limiters in the laboratory of tests/support/quota-lab, in virtual time: the scenarios with their budgets, and
 * random services. Exits with 1 where a budget of a scenario is missed. Usage: node benchmarks/quota-lab.ts [--services 100]
 * [--seed 0]; the services are those of so many seeds from the first one on.
 */
import { parseArgs } from "node:util";
import {
  type GeneratedFigures,
  judgeScenario,
  judgeService,
  median,
  quantile,
} from "../tests/support/quota-lab/figures.ts";
import { generateService } from "../tests/support/quota-lab/generator.ts";
import { scenarios } from "../tests/support/quota-lab/scenarios.ts";
import { ours } from "./quota-lab-policy.ts";

/** Each scenario runs with all of them, and its figures are medians. */
const scenarioSeeds = [100, 200, 300, 400, 500];

const { values } = parseArgs({
  options: { services: { type: "string", default: "100" }, seed: { type: "string", default: "0" } },
});
const serviceCount = wholeNumber("--services", values.services);
const firstSeed = wholeNumber("--seed", values.seed);

console.log(`${scenarios.length} scenarios, medians of ${scenarioSeeds.length} seeds`);
let missedCount = 0;
for (const scenario of scenarios) {
  const figures = judgeScenario(scenario, ours, scenarioSeeds);
  const { wall, rejections, missed } = figures;
  const alone = scenarioSeeds.filter((seed) => judgeScenario(scenario, ours, [seed]).missed.length > 0);
  missedCount += missed.length;
  const parts = [
    `wall by ${scenario.wall.by} ${wall.toFixed(3)} of ${scenario.wall.most}`,
    `429s an answer over one round ${rejections.toFixed(4)} of ${scenario.rejections}`,
    ...(missed.length > 0 ? [`MISSES ${missed.join(", ")}`] : []),
    ...(alone.length > 0 ? [`alone, seed ${alone.join(", ")} would miss`] : []),
  ];
  console.log(`${scenario.name}\n  ${parts.join(", ")}`);
}
console.log(`${missedCount} budgets missed\n`);
if (missedCount > 0) process.exitCode = 1;

console.log(`${serviceCount} generated services from seed ${firstSeed} on, each once`);
const all: GeneratedFigures[] = [];
for (let seed = firstSeed; seed < firstSeed + serviceCount; seed += 1) {
  const service = generateService(seed);
  const figures = judgeService(service, ours);
  const { wall, rejections, expected, lost } = figures;
  all.push(figures);
  const parts = [
    `wall by ideal ${wall.toFixed(3)}`,
    `429s an answer over one round ${rejections.toFixed(4)}`,
    ...(expected > 0 ? [`sporadic ones expected ${expected.toFixed(4)}`] : []),
    ...(lost > 0 ? [`LOST or unfinished ${lost}`] : []),
  ];
  console.log(`${seed} ${service.name}\n  ${parts.join(", ")}`);
}
if (all.length > 0) {
  console.log(`wall by ideal: ${summaryOf(all.map(({ wall }) => wall))}`);
  console.log(`429s an answer over one round: ${summaryOf(all.map(({ rejections }) => rejections))}`);
  console.log(`the same without the sporadic ones: ${summaryOf(all.map(({ avoidable }) => avoidable))}`);
  console.log(`services with calls lost or unfinished: ${all.filter(({ lost }) => lost > 0).length}`);
}

function summaryOf(figures: readonly number[]): string {
  const [middle, high, most] = [median(figures), quantile(figures, 0.9), Math.max(...figures)];
  return `median ${middle.toFixed(4)}, 90 % ${high.toFixed(4)}, most ${most.toFixed(4)}`;
}

function wholeNumber(option: string, text: string): number {
  if (/^\d+$/.test(text)) return Number(text);
  throw new Error(`${option}: expected a whole number from 0 up, got ${JSON.stringify(text)}`);
}
