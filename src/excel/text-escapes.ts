/** The text that a workbook has as `_x000D_`: characters that XML can't hold are written by their number. */
export function decodeText(text: string): string {
  return text.includes("_x")
    ? text.replaceAll(/_x([\dA-Fa-f]{4})_/g, (_, code: string) => String.fromCharCode(Number.parseInt(code, 16)))
    : text;
}

/** Characters that XML can't hold, or does not keep; and the beginning of a text that would be read as one of them. */
// oxlint-disable-next-line no-control-regex -- they are what is looked for
const escaped = /[\0-\u0008\u000B-\u001F\uFFFE\uFFFF]|_(?=x[\dA-Fa-f]{4}[_\0-\u0008\u000B-\u001F\uFFFE\uFFFF])/g;
const markup = /[&<>"]/g;
const entities: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };

/** The text as it is in the XML of a workbook, from which {@link decodeText} gives it back. */
export function encodeText(text: string): string {
  return text
    .replaceAll(escaped, (one) => `_x${one.charCodeAt(0).toString(16).toUpperCase().padStart(4, "0")}_`)
    .replaceAll(markup, (one) => entities[one] ?? one);
}
