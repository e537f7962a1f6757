/**
 * Finds at most `limit` candidates that resemble a misspelt word, best first, letter case aside: within a third of the
 * longer one's length, or with a beginning that is within a third of the word's.
 */
export function closest(word: string, candidates: readonly string[], limit: number): string[] {
  const wanted = word.toLowerCase();
  return candidates
    .map((candidate) => ({ candidate, distance: distanceBetween(wanted, candidate.toLowerCase()) }))
    .filter(({ distance }) => distance !== Infinity)
    .toSorted((left, right) => left.distance - right.distance)
    .slice(0, limit)
    .map(({ candidate }) => candidate);
}

/** True for two spellings of a word that differ in letter case, spaces and punctuation only. */
export function isSameWord(one: string, other: string): boolean {
  const [left, right] = [one, other].map((word) => word.toLowerCase().replaceAll(/[^\p{L}\p{N}]/gu, ""));
  return left === right && left !== "";
}

/**
 * True for two spellings of a word that tell no more than one of them: {@link isSameWord}, or from four characters on with one character too
 * many, missing, wrong, or two that changed places.
 */
export function isTypingMistake(one: string, other: string): boolean {
  if (isSameWord(one, other)) return true;
  const [left, right] = [one.toLowerCase(), other.toLowerCase()];
  if (Math.min(left.length, right.length) < 4 || Math.abs(left.length - right.length) > 1) return false;
  let start = 0;
  while (start < left.length && left[start] === right[start]) start += 1;
  const [first, second] = [left.slice(start), right.slice(start)];
  if (first.slice(1) === second.slice(1) || first.slice(1) === second || first === second.slice(1)) return true;
  return first[0] === second[1] && first[1] === second[0] && first.slice(2) === second.slice(2);
}

/** The edit distance to the whole candidate, or else one more than that to its nearest beginning; Infinity if both are far. */
function distanceBetween(wanted: string, candidate: string): number {
  const tolerance = Math.ceil(Math.max(candidate.length, wanted.length) / 3);
  // The distance is at least the difference in length: most of a long list needs no table.
  if (wanted.length - candidate.length > tolerance) return Infinity;
  const distances = editDistances(wanted, candidate);
  const whole = distances.at(-1) ?? Infinity;
  const beginning = wanted === "" ? Infinity : Math.min(...distances);
  return Math.min(
    whole <= tolerance ? whole : Infinity,
    beginning <= Math.floor(wanted.length / 3) ? beginning + 1 : Infinity,
  );
}

/** The Levenshtein distances from `left` to each beginning of `right`, the empty one first: one row of the table at a time. */
function editDistances(left: string, right: string): readonly number[] {
  let previous = Array.from({ length: right.length + 1 }, (_, index) => index);
  for (let row = 1; row <= left.length; row += 1) {
    const current = [row];
    for (let column = 1; column <= right.length; column += 1) {
      const replaced = (previous[column - 1] ?? 0) + (left[row - 1] === right[column - 1] ? 0 : 1);
      current.push(Math.min(replaced, (previous[column] ?? 0) + 1, (current[column - 1] ?? 0) + 1));
    }
    previous = current;
  }
  return previous;
}
