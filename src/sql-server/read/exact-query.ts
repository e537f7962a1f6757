import { quoteIdentifier } from "../identifiers.ts";
import { declare, type StatementParameter } from "../parameters.ts";
import type { ResultColumn } from "./result-shape.ts";

/** A statement as it is sent. */
export interface Query {
  readonly text: string;
  readonly parameters: readonly StatementParameter[];
}

/**
 * The same query, such that no digit is lost on the way: where the driver would round a column or a parameter, the server
 * converts it (`EXECUTE … WITH RESULT SETS`). The statement itself is not touched, so that it can have any form,
 * and its rows still come as they are made.
 */
export function exactQuery(query: Query, columns: readonly ResultColumn[]): Query {
  const steps = Math.max(0, ...columns.map(({ reading }) => reading.conversions.length));
  let exact = query;
  for (let step = 0; step < steps; step += 1) exact = execute(exact, step, resultSets(columns, step));
  return exact.parameters.every(({ declaration, sentAs }) => declaration === sentAs)
    ? exact
    : execute(exact, steps, "");
}

/** A query that runs the query. Its own parameters have a name of their own at each step. */
function execute({ text, parameters }: Query, step: number, clause: string): Query {
  const statement = own(`llm_etl_statement_${step}`, text);
  const declarations = own(`llm_etl_declarations_${step}`, declare(parameters));
  const passed = parameters.map(({ name }) => `, @${name} = @${name}`).join("");
  const taken = parameters.length === 0 ? "" : `, @${declarations.name}${passed}`;
  return {
    text: `EXECUTE sys.sp_executesql @${statement.name}${taken}${clause};`,
    parameters: [
      statement,
      ...(parameters.length === 0 ? [] : [declarations]),
      ...parameters.map((parameter) => ({ ...parameter, declaration: parameter.sentAs })),
    ],
  };
}

function own(name: string, value: string): StatementParameter {
  return { name, declaration: "nvarchar(max)", sentAs: "nvarchar(max)", value };
}

function resultSets(columns: readonly ResultColumn[], step: number): string {
  const definitions = columns.map((column) => {
    const { conversions } = column.reading;
    const declaration = conversions[Math.min(step, conversions.length - 1)] ?? unconverted(column);
    return `${quoteIdentifier(column.name)} ${declaration} NULL`;
  });
  return ` WITH RESULT SETS ((${definitions.join(", ")}))`;
}

/** The types that a result set can't be declared with, or only at a loss, as the ones that hold the same. */
const sameAs: Readonly<Record<string, string>> = {
  text: "varchar(max)",
  ntext: "nvarchar(max)",
  image: "varbinary(max)",
  timestamp: "binary(8)",
  rowversion: "binary(8)",
};

function unconverted({ type, collation }: ResultColumn): string {
  const declaration = sameAs[type.name] ?? type.declaration;
  // Without it text would go through the code page of the database.
  return collation !== undefined && /^\w+$/.test(collation) ? `${declaration} COLLATE ${collation}` : declaration;
}
