/** The needs of a source, a provider or a sink that its options leave open: `check` looks for them. */
export interface Requirements {
  /** Environment variables without which it does not work. */
  readonly environment?: readonly string[] | undefined;
  /** Environment variables that it reads where they are set. */
  readonly optionalEnvironment?: readonly string[] | undefined;
  /** Packages that it loads when it is used and that llm-etl does not install. */
  readonly packages?: readonly string[] | undefined;
}
