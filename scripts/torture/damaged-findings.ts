import type { Outcome } from './prober.js'

/** What became of everything that was damaged, added up over all parts of the test. */
export class Findings {
  readonly counts = {
    mutants: 0,
    signals: 0,
    wrong: 0,
    untyped: 0,
    refused: 0,
    harmless: 0,
    pages: 0,
    repairs: 0,
    unrepaired: 0,
  }
  /** Counts that have to be zero. */
  static readonly NONE = ['signals', 'wrong', 'untyped', 'unrepaired'] as const
  readonly complaints: string[] = []
  readonly notes: string[] = []
  private readonly codes = new Map<string, number>()

  /** Adds one outcome up. @param isRight whether an answer is what the undamaged file gives, or as good */
  judge(what: string, outcome: Outcome, isRight: (answer: string) => boolean): void {
    if (outcome.kind === 'refused' && outcome.code !== 'INTERNAL') {
      this.counts.refused++
      this.codes.set(outcome.code, (this.codes.get(outcome.code) ?? 0) + 1)
    } else if (outcome.kind === 'answer' && isRight(outcome.result)) {
      this.counts.harmless++
    } else {
      const kind = {
        answer: 'wrong',
        refused: 'untyped',
        untyped: 'untyped',
        signal: 'signals',
        hung: 'signals',
      } as const
      const counted = kind[outcome.kind]
      this.counts[counted]++
      const said = outcome.kind === 'answer' ? outcome.result : outcome.fact
      this.complaints.push(`${what}: ${counted}: ${said.slice(0, 300)}`)
    }
  }

  /** How often each code was met. */
  get refusals(): string {
    return [...this.codes].map(([code, count]) => `${count} ${code}`).join(', ')
  }
}
