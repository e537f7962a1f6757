/** A text without the blanks at its end. A pattern would look at blanks in its middle once for each of them. */
export function withoutTrailingBlanks(text: string): string {
  let end = text.length;
  while (end > 0 && text[end - 1] === " ") end -= 1;
  return text.slice(0, end);
}
