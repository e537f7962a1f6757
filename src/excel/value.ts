/** A value of a cell: a date is in UTC, a time of day is text. */
export type ExcelValue = string | number | bigint | boolean | Date | null;
