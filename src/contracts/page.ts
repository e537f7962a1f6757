/** A part of a long list. */
export interface Page<Item> {
  readonly items: readonly Item[];
  /** For `PageRequest.from`: the next page begins there. null after the last page. */
  readonly next: string | null;
}

export interface PageRequest {
  /** The most items of the page. */
  readonly limit: number;
  /** The `next` of the page before. @default the first page */
  readonly from?: string | undefined;
}
