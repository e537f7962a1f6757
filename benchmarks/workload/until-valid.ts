/** As many further tries as llm-etl's steps have by default. */
const maxRetries = 3;

/** What a careful user writes around a call: an answer that does not fit is asked for again. */
export async function untilValid<Output>(
  ask: () => Promise<Output>,
  isInvalid: (error: unknown) => boolean,
): Promise<Output> {
  for (let retry = 0; ; retry += 1) {
    try {
      return await ask();
    } catch (error) {
      if (!isInvalid(error) || retry === maxRetries) throw error;
    }
  }
}
