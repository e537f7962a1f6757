const maxDeployments = 1000;

/** A state for each deployment, made when its name is first met. */
export class PerDeployment<State> {
  readonly #states = new Map<string, State>();
  readonly #make: () => State;

  constructor(make: () => State) {
    this.#make = make;
  }

  of(deployment: string): State {
    const known = this.#states.get(deployment);
    if (known !== undefined) return known;
    if (this.#states.size >= maxDeployments) this.#states.clear(); // a client's invented names must not fill the memory
    const added = this.#make();
    this.#states.set(deployment, added);
    return added;
  }
}
