import type { TimeKind } from '../types.js'
import type { Detected } from './detect.js'
import type { RecordSinks } from './formats/format.js'
import { LineSplitter } from './lines.js'
import type { SourceRecord } from './records.js'
import { ORDER_LIMIT, Refusal } from './rules.js'

/** What becomes of the times of sound records. */
export interface TimeRule {
  /** Called last, of a record in which all else is sound. @throws Refusal for a time that may not be */
  accept(time: number | undefined, received: unknown): void
}

type Kind = Exclude<TimeKind, 'none'>

function kindOf(time: number): Kind {
  return time < ORDER_LIMIT ? 'order' : 'date'
}

/** Whether the times of a project are dates or positions: what it holds decides, else the file that is read first. */
export class TimeAgreement implements TimeRule {
  private kind: Kind | undefined

  constructor(known: TimeKind) {
    this.kind = known === 'none' ? undefined : known
  }

  get isOpen(): boolean {
    return this.kind === undefined
  }

  /** Leaves it to the first time where `kind` is undefined. */
  decide(kind: Kind | undefined): void {
    this.kind = kind
  }

  accept(time: number | undefined, received: unknown): void {
    if (time === undefined) return
    this.kind ??= kindOf(time)
    if (this.kind === kindOf(time)) return
    const expected = this.kind === 'date' ? 'a date' : 'a position in the history'
    throw new Refusal('time', `${expected}, like the other times of this project`, received)
  }
}

/** Counts times instead of judging them. */
class TimeCount implements TimeRule {
  /** In the order in which they were first met. */
  private readonly counts = new Map<Kind, number>()

  accept(time: number | undefined): void {
    if (time !== undefined) this.counts.set(kindOf(time), (this.counts.get(kindOf(time)) ?? 0) + 1)
  }

  most(): Kind | undefined {
    return [...this.counts].sort(([, a], [, b]) => b - a)[0]?.[0]
  }
}

/**
 * What most times in the head of a file are; where there are as many of both, what the first one is. So that a zero at
 * the top of a file of dates is one refused record, and not a project of positions that refuses all others.
 * @param builderOf makes what turns records of the file into sound ones
 */
export function mostTimes(
  head: Buffer,
  headIsAll: boolean,
  { reader: readerOf }: Detected,
  builderOf: (times: TimeRule) => { build(record: SourceRecord): unknown },
): Kind | undefined {
  const count = new TimeCount()
  const builder = builderOf(count)
  const record: RecordSinks['record'] = (one) => {
    try {
      builder.build(one)
    } catch (cause) {
      if (!(cause instanceof Refusal)) throw cause
    }
  }
  const reader = readerOf({ record, refuse: () => undefined })
  const lines = new LineSplitter(reader.line)
  lines.push(head)
  if (headIsAll) {
    lines.end()
    reader.end()
  } else reader.flush()
  return count.most()
}
