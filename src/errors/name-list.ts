const longestList = 50;

/** Lists names for a message: in quotes, the first fifty of them; "none" if there are none. */
export function listNames(names: readonly string[]): string {
  return names.length === 0 ? "none" : listItems(names.map((name) => JSON.stringify(name)));
}

/** Lists items for a message: the first fifty of them, and the number of the others. */
export function listItems(items: readonly (string | number)[]): string {
  const shown = items.slice(0, longestList).join(", ");
  return items.length > longestList ? `${shown} and ${items.length - longestList} more` : shown;
}
