import type { Fitted } from "./dialect.ts";

/** A cell of the staging table; NULL is null beside it. */
export type StagedValue = string | number | boolean | Buffer;

/** Makes the cell of a value that is not NULL, or says why the column can't hold it. */
export type Fit = (value: unknown) => Fitted<StagedValue>;

export function fits(value: StagedValue): Fitted<StagedValue> {
  return { ok: true, value };
}

/** `problem` holds no content; `demand` is for a model: null where no answer of a model fits. */
export function violation(problem: string, demand: string | null = null): Fitted<StagedValue> {
  return { ok: false, problem, demand };
}

/** The same, with the cell changed. */
export function mapped(fit: Fit, change: (cell: StagedValue) => StagedValue): Fit {
  return (value) => {
    const fitted = fit(value);
    return fitted.ok ? fits(change(fitted.value)) : fitted;
  };
}
