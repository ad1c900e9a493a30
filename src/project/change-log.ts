import type { Changes } from '../recommend/memory.js'

/** Changes that are remembered; whoever missed more starts afresh. */
const MOST_KEPT = 4096

/** Which item vectors have changed lately, and after which change of the store each of them did. */
export class ChangeLog implements Changes {
  private readonly noted: { readonly sequence: number; readonly key: number }[] = []

  /**
   * @param sequence the store's last vector change that the index holds
   * @param reach changes before it are unknown here
   */
  constructor(
    public sequence: number,
    private reach = sequence,
  ) {}

  /** The index now holds everything up to `sequence`; `keys` were added, replaced or removed. */
  note(sequence: number, keys: Iterable<number>): void {
    for (const key of keys) this.noted.push({ sequence, key })
    const spare = this.noted.length - MOST_KEPT
    if (spare > 0) this.reach = this.noted.splice(0, spare)[spare - 1].sequence
    this.sequence = sequence
  }

  since(sequence: number): readonly number[] | undefined {
    if (sequence < this.reach) return undefined
    let first = this.noted.length
    while (first > 0 && this.noted[first - 1].sequence > sequence) first--
    return this.noted.slice(first).map(({ key }) => key)
  }
}
