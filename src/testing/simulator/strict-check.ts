/** The keywords of the strict subset ("Structured outputs" on Microsoft Learn); the limits below are from that page too. */
const keywords = new Set(
  "$schema $ref $defs definitions title description type properties required additionalProperties items anyOf enum const".split(
    " ",
  ),
);
const maxProperties = 100;
const maxLevels = 5;
const maxEnumValues = 1000;

interface Size {
  properties: number;
  enumValues: number;
}

/** The reason why a service that enforces strict schemas would reject this one; undefined if it would accept it. */
export function strictProblem(schema: unknown): string | undefined {
  if (!isObject(schema)) return "the schema is not an object";
  if (schema["type"] !== "object") return 'the root must have "type": "object" and no anyOf';
  if ("anyOf" in schema) return "the root must not be an anyOf";
  const size: Size = { properties: 0, enumValues: 0 };
  const problem = nodeProblem(schema, "root", 1, size);
  if (problem !== undefined) return problem;
  if (size.properties > maxProperties) return `${size.properties} properties, at most ${maxProperties} are allowed`;
  if (size.enumValues > maxEnumValues) return `${size.enumValues} enum values, at most ${maxEnumValues} are allowed`;
  return undefined;
}

function nodeProblem(node: unknown, path: string, level: number, size: Size): string | undefined {
  if (!isObject(node)) return `at ${path}: a schema must be an object`;
  for (const keyword of Object.keys(node)) {
    if (!keywords.has(keyword)) return `at ${path}: '${keyword}' is not permitted`;
  }
  const { enum: values, anyOf, items, $ref: reference } = node;
  if (Array.isArray(values)) size.enumValues += values.length;
  if (!("type" in node) && anyOf === undefined && reference === undefined) return `at ${path}: a 'type' is missing`;
  const inside: [string, unknown, number][] = [];
  if (isOfType(node, "object")) {
    const problem = objectProblem(node, path, level);
    if (problem !== undefined) return problem;
    for (const [name, child] of entriesOf(node["properties"])) {
      size.properties += 1;
      inside.push([`${path}.${name}`, child, level + 1]);
    }
  }
  if (isOfType(node, "array")) {
    if (items === undefined) return `at ${path}: an array must have 'items'`;
    inside.push([`${path}[]`, items, level]);
  }
  if (Array.isArray(anyOf)) {
    for (const [index, choice] of anyOf.entries()) inside.push([`${path}.anyOf[${index}]`, choice, level]);
  }
  for (const [name, child] of [...entriesOf(node["$defs"]), ...entriesOf(node["definitions"])]) {
    inside.push([`$defs.${name}`, child, 1]);
  }
  for (const [where, child, childLevel] of inside) {
    const problem = nodeProblem(child, where, childLevel, size);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

function objectProblem(node: Readonly<Record<string, unknown>>, path: string, level: number): string | undefined {
  if (level > maxLevels) return `at ${path}: ${level} levels of nesting exceed the limit of ${maxLevels}`;
  if (node["additionalProperties"] !== false) return `at ${path}: 'additionalProperties' must be there and be false`;
  const names = entriesOf(node["properties"]).map(([name]) => name);
  const required: unknown = node["required"];
  const listed = new Set<unknown>(Array.isArray(required) ? required : []);
  const missing = names.find((name) => !listed.has(name));
  if (missing !== undefined) return `at ${path}: 'required' must list every property; '${missing}' is missing`;
  if (listed.size > names.length) return `at ${path}: 'required' lists a property that is not there`;
  return undefined;
}

function isOfType(node: Readonly<Record<string, unknown>>, type: string): boolean {
  return [node["type"]].flat().includes(type);
}

function entriesOf(value: unknown): [string, unknown][] {
  return isObject(value) ? Object.entries(value) : [];
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
