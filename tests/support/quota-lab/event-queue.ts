interface Event {
  readonly atMs: number;
  readonly order: number;
  readonly run: () => void;
}

/** What is to happen at which moment: the earliest first, and of one moment whatever was added first. It is a binary heap. */
export class EventQueue {
  readonly #heap: Event[] = [];
  #addedCount = 0;

  add(atMs: number, run: () => void): void {
    const heap = this.#heap;
    const event = { atMs, order: this.#addedCount, run };
    this.#addedCount += 1;
    let place = heap.length;
    while (place > 0) {
      const parentPlace = (place - 1) >> 1;
      const parent = heap[parentPlace];
      if (parent === undefined || !isBefore(event, parent)) break;
      heap[place] = parent;
      place = parentPlace;
    }
    heap[place] = event;
  }

  /** Takes the next event out; undefined where there is none. */
  take(): Event | undefined {
    const heap = this.#heap;
    const [first] = heap;
    const last = heap.pop();
    if (last !== undefined && last !== first) this.#sink(last);
    return first;
  }

  /** Puts an event into the place of the first one, and moves it down. */
  #sink(event: Event): void {
    const heap = this.#heap;
    let place = 0;
    for (;;) {
      let childPlace = 2 * place + 1;
      let child = heap[childPlace];
      const other = heap[childPlace + 1];
      if (child !== undefined && other !== undefined && isBefore(other, child)) {
        child = other;
        childPlace += 1;
      }
      if (child === undefined || !isBefore(child, event)) break;
      heap[place] = child;
      place = childPlace;
    }
    heap[place] = event;
  }
}

function isBefore(one: Event, other: Event): boolean {
  return one.atMs < other.atMs || (one.atMs === other.atMs && one.order < other.order);
}
