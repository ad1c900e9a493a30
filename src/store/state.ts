import type { Connection } from './sqlite.js'

type Counter = 'change' | 'arrival' | 'time_kind'

/** The counters and the named values (pointers to what is live) that travel with the catalogue. */
export class State {
  constructor(private readonly db: Connection) {}

  /** A stored JSON value, or undefined. */
  meta<T>(name: string): T | undefined {
    const row = this.db.prepareRaw<[string]>('SELECT value FROM meta WHERE name = ?').get(name)
    return row === undefined ? undefined : (JSON.parse(row[0]) as T)
  }

  /** Stores a JSON value; undefined removes it. */
  setMeta(name: string, value: unknown): void {
    this.db.write(() => {
      if (value === undefined) this.db.prepare('DELETE FROM meta WHERE name = ?').run(name)
      else {
        this.db
          .prepare('INSERT INTO meta VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value')
          .run(name, JSON.stringify(value))
      }
    })
  }

  counter(name: Counter): number {
    return this.db.prepareRaw<[number]>('SELECT value FROM counter WHERE name = ?').get(name)?.[0] ?? 0
  }

  setCounter(name: Counter, value: number): void {
    this.db.prepare('UPDATE counter SET value = ? WHERE name = ?').run(value, name)
  }

  /** The number of this transaction's change: greater than that of every committed one. */
  nextChange(): number {
    const next = this.counter('change') + 1
    this.setCounter('change', next)
    return next
  }
}

/** Sees whether anything was committed, by this connection or by any other process. */
export class ChangeWatch {
  private others = -1
  private own = -1
  private ticks = 0

  constructor(private readonly db: Connection) {}

  /** A number that differs from the last one exactly when something may have changed since. */
  counter(): number {
    // data_version moves with other connections' commits only, total_changes with this one's only.
    const others = this.db.prepareRaw<[number]>('PRAGMA data_version').get()?.[0] ?? 0
    const own = this.db.prepareRaw<[number]>('SELECT total_changes()').get()?.[0] ?? 0
    if (others !== this.others || own !== this.own) {
      this.others = others
      this.own = own
      this.ticks++
    }
    return this.ticks
  }
}
