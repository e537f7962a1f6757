/** A screen that does with text and control sequences what a terminal does; one that it does not know is an error. */
export class Screen {
  readonly #lines: string[] = [""];
  #row = 0;
  #column = 0;

  /** What stands on it, without the empty lines at its end. */
  get lines(): readonly string[] {
    return this.#lines.slice(0, this.#lines.findLastIndex((line) => line !== "") + 1);
  }

  write(text: string): void {
    for (const [token, digits, command] of text.matchAll(/\p{Cc}\[\??(\d*)([A-Za-z])|[^]/gu)) {
      if (command !== undefined) this.#obey(command, digits ?? "");
      else if (token === "\n") this.#moveTo(this.#row + 1, 0);
      else this.#put(token);
    }
  }

  #obey(command: string, digits: string): void {
    const count = digits === "" ? 1 : Number(digits);
    const line = this.#lines[this.#row] ?? "";
    if (command === "A") this.#moveTo(Math.max(0, this.#row - count), this.#column);
    else if (command === "B") this.#moveTo(this.#row + count, this.#column);
    else if (command === "G") this.#column = count - 1;
    else if (command === "K") this.#lines[this.#row] = digits === "2" ? "" : line.slice(0, this.#column);
    else if (!/[mhl]/.test(command)) throw new Error(`the screen does not know ${JSON.stringify(digits + command)}`);
  }

  #moveTo(row: number, column: number): void {
    while (this.#lines.length <= row) this.#lines.push("");
    this.#row = row;
    this.#column = column;
  }

  #put(character: string): void {
    const line = (this.#lines[this.#row] ?? "").padEnd(this.#column);
    this.#lines[this.#row] = line.slice(0, this.#column) + character + line.slice(this.#column + 1);
    this.#column += 1;
  }
}
