/** What a part of a pipeline needs from its surroundings, as its options leave it: what an option gives is not in here. */
export interface Requirements {
  /** Environment variables without which it does not work. */
  readonly environment?: readonly string[] | undefined;
  /** Environment variables that it heeds where they are set. */
  readonly optionalEnvironment?: readonly string[] | undefined;
  /** Packages that it loads when it is used and that come with no other: their user installs them. */
  readonly packages?: readonly string[] | undefined;
}
