/** key -> row. An array where keys are dense, as the store's are (2 ns a look-up); a map where they are not. */
export class KeyTable {
  private dense: Int32Array | undefined
  private readonly sparse = new Map<number, number>()
  private count = 0

  constructor(expected = 0) {
    this.dense = new Int32Array(expected + 1024).fill(-1)
  }

  /** -1 if there is none. */
  get(key: number): number {
    if (this.dense !== undefined) return this.dense[key] ?? -1
    return this.sparse.get(key) ?? -1
  }

  set(key: number, row: number): void {
    if (this.dense !== undefined && key >= this.dense.length) this.makeRoom(key)
    if (this.get(key) === -1) this.count++
    if (this.dense !== undefined) this.dense[key] = row
    else this.sparse.set(key, row)
  }

  delete(key: number): void {
    if (this.get(key) === -1) return
    this.count--
    if (this.dense !== undefined) this.dense[key] = -1
    else this.sparse.delete(key)
  }

  /** A longer array while at least an eighth of it is in use; a map from then on. */
  private makeRoom(key: number): void {
    const old = this.dense as Int32Array
    if (key < 8 * (this.count + 1024)) {
      this.dense = new Int32Array(Math.max(key + 1, 2 * old.length)).fill(-1)
      this.dense.set(old)
      return
    }
    for (let known = 0; known < old.length; known++) {
      if (old[known] !== -1) this.sparse.set(known, old[known])
    }
    this.dense = undefined
  }
}
