import type { SQLType, Value } from "./sql-type.ts";

/** What the parser makes of SQL text, and what is executed. */
export type Expression =
  | { readonly kind: "literal"; readonly type: SQLType; readonly value: Value }
  | { readonly kind: "column"; readonly path: readonly string[] }
  | { readonly kind: "variable"; readonly name: string }
  | {
      readonly kind: "call";
      readonly name: string;
      readonly arguments: readonly Expression[];
      readonly star: boolean;
      readonly distinct: boolean;
      readonly over?: Window;
    }
  | {
      readonly kind: "cast";
      readonly value: Expression;
      readonly type: SQLType;
      readonly attempt: boolean;
      /** Of CONVERT: 2 is bytes as hexadecimal digits. */
      readonly style?: number;
    }
  | { readonly kind: "collate"; readonly value: Expression; readonly collation: string }
  | { readonly kind: "arithmetic"; readonly operator: string; readonly left: Expression; readonly right: Expression }
  | {
      readonly kind: "case";
      readonly branches: readonly (readonly [when: Expression, then: Expression])[];
      readonly otherwise: Expression | undefined;
    }
  | { readonly kind: "subquery"; readonly query: Query }
  | { readonly kind: "action" }
  | { readonly kind: "compare"; readonly operator: string; readonly left: Expression; readonly right: Expression }
  | { readonly kind: "and" | "or"; readonly left: Expression; readonly right: Expression }
  | { readonly kind: "not"; readonly value: Expression }
  | { readonly kind: "isNull"; readonly value: Expression }
  | { readonly kind: "exists"; readonly query: Query }
  | { readonly kind: "in"; readonly value: Expression; readonly among: readonly Expression[] | Query }
  | { readonly kind: "like"; readonly value: Expression; readonly pattern: Expression };

export interface Window {
  readonly partition: readonly Expression[];
  readonly order: readonly Order[];
}

export interface Order {
  readonly value: Expression;
  readonly descending: boolean;
}

export type Item =
  | { readonly kind: "star"; readonly of?: string }
  | { readonly kind: "value"; readonly value: Expression; readonly name?: string };

export interface TableName {
  /** Schema and name, or the name alone. */
  readonly path: readonly string[];
  readonly line: number;
}

export type TableSource = { readonly alias: string; readonly join: Join } & (
  | { readonly kind: "table"; readonly table: TableName; readonly hints: readonly string[] }
  | { readonly kind: "derived"; readonly query: Query; readonly names: readonly string[] }
  | { readonly kind: "values"; readonly rows: readonly (readonly Expression[])[]; readonly names: readonly string[] }
  | {
      readonly kind: "function";
      readonly name: string;
      readonly arguments: readonly Expression[];
      /** Of OPENJSON … WITH. */
      readonly columns?: readonly JSONColumn[];
    }
);

export interface JSONColumn {
  readonly name: string;
  readonly type: SQLType;
  readonly path: string;
}

export interface Join {
  readonly type: "inner" | "left";
  readonly on?: Expression;
}

export interface Query {
  readonly common: ReadonlyMap<string, { readonly query: Query; readonly names: readonly string[] }>;
  readonly distinct: boolean;
  readonly top?: Expression;
  readonly items: readonly Item[];
  readonly into?: TableName;
  readonly from: readonly TableSource[];
  readonly where?: Expression;
  readonly group: readonly Expression[];
  readonly having?: Expression;
  /** Further SELECTs, taken from left to right. */
  readonly combined: readonly (readonly [operator: "union" | "union all" | "intersect" | "except", query: Query])[];
  readonly order: readonly Order[];
  readonly offset?: Expression;
  readonly fetch?: Expression;
}

export interface Assignment {
  readonly column: string;
  /** Undefined is DEFAULT. */
  readonly value: Expression | undefined;
}

export type MergeAction =
  | { readonly kind: "update"; readonly set: readonly Assignment[] }
  | { readonly kind: "delete" }
  | {
      readonly kind: "insert";
      readonly columns: readonly string[];
      readonly values: readonly (Expression | undefined)[];
    };

export interface MergeBranch {
  readonly when: "matched" | "not matched" | "not matched by source";
  readonly and?: Expression;
  readonly action: MergeAction;
}

export interface ColumnDefinition {
  readonly name: string;
  readonly type: SQLType;
  readonly nullable?: boolean;
  readonly identity?: readonly [seed: number, step: number];
  readonly computed?: Expression;
  readonly defaultValue?: Expression;
}

export type Constraint =
  | {
      readonly kind: "unique";
      readonly name?: string;
      readonly primary: boolean;
      readonly index: boolean;
      readonly columns: readonly string[];
      readonly ignoresDuplicates: boolean;
    }
  | { readonly kind: "check"; readonly name?: string; readonly check: Expression };

/** What is written. */
export type Write =
  | {
      readonly kind: "insert";
      readonly target: TableName;
      readonly columns: readonly string[];
      readonly query: Query | undefined;
      readonly rows: readonly (readonly (Expression | undefined)[])[];
      readonly output: readonly Item[];
    }
  | {
      readonly kind: "update";
      readonly target: string;
      readonly set: readonly Assignment[];
      readonly from: readonly TableSource[];
      readonly where?: Expression;
      readonly output: readonly Item[];
    }
  | {
      readonly kind: "delete";
      readonly target: string;
      readonly from: readonly TableSource[];
      readonly where?: Expression;
      readonly output: readonly Item[];
    }
  | {
      readonly kind: "merge";
      readonly target: TableSource;
      readonly source: TableSource;
      readonly branches: readonly MergeBranch[];
      readonly output: readonly Item[];
    };

export type Action =
  | { readonly kind: "select"; readonly query: Query }
  | Write
  | {
      readonly kind: "create table";
      readonly table: TableName;
      readonly columns: readonly ColumnDefinition[];
      readonly constraints: readonly Constraint[];
    }
  | { readonly kind: "create index"; readonly table: TableName; readonly constraint: Constraint | undefined }
  | { readonly kind: "create view"; readonly view: TableName; readonly query: Query }
  | { readonly kind: "drop view"; readonly view: TableName }
  | { readonly kind: "drop table"; readonly tables: readonly TableName[]; readonly ifExists: boolean }
  | { readonly kind: "drop schema"; readonly name: string }
  | { readonly kind: "truncate"; readonly table: TableName }
  | { readonly kind: "set"; readonly option: string; readonly value: string }
  | { readonly kind: "assign"; readonly name: string; readonly value: Expression }
  | { readonly kind: "declare"; readonly name: string; readonly type: SQLType; readonly value: Expression | undefined }
  | { readonly kind: "transaction"; readonly what: "begin" | "commit" | "rollback" | "save"; readonly name: string }
  | {
      readonly kind: "if";
      readonly condition: Expression;
      readonly whenTrue: readonly Statement[];
      readonly otherwise: readonly Statement[];
    }
  | { readonly kind: "throw"; readonly number: number; readonly message: string }
  | {
      readonly kind: "execute";
      readonly procedure: string;
      readonly arguments: readonly (readonly [name: string, value: Expression])[];
      /** Of WITH RESULT SETS. */
      readonly resultSets: readonly (readonly ResultSetColumn[])[] | undefined;
    }
  | {
      readonly kind: "insert bulk";
      readonly target: TableName;
      readonly columns: readonly ColumnDefinition[];
      readonly options: readonly string[];
    }
  | { readonly kind: "nothing" };

export interface ResultSetColumn {
  readonly name: string;
  readonly type: SQLType;
}

export interface Statement {
  readonly action: Action;
  readonly text: string;
  readonly line: number;
  /** Tables that stand in a FROM or USING, with their hints. */
  readonly reads: readonly { readonly table: TableName; readonly hints: readonly string[] }[];
}
