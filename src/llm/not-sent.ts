/** The call was aborted before anything of it was sent: it cost nothing, and is not counted. */
export class NotSentError extends Error {
  constructor(reason: unknown) {
    super("the run stopped before the call went", { cause: reason });
    this.name = "NotSentError";
  }
}
