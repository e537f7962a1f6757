/** A file can't be used for its purpose. Like an error of the file system it has a `code` for programs. */
export class FileError extends Error {
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.name = new.target.name;
    this.code = code;
  }
}
