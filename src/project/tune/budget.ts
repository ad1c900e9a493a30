/**
 * A length of time as people write it: '90s', '20m', '1.5h'. Undefined for anything else, a bare number too: some would
 * mean seconds by it and some minutes.
 */
export function secondsOf(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)\s*(s|m|h)$/.exec(text.trim())
  if (match === null) return undefined
  const seconds = Number(match[1]) * { s: 1, m: 60, h: 3600 }[match[2] as 's' | 'm' | 'h']
  return seconds > 0 && seconds <= MOST_SECONDS ? seconds : undefined
}

/** A week. */
const MOST_SECONDS = 7 * 24 * 3600

/** The time that a search may take, over all its runs. */
export class Budget {
  private readonly controller = new AbortController()
  private started: number | undefined
  private timer: NodeJS.Timeout | undefined
  private over = false

  constructor(
    readonly seconds: number,
    private readonly spentBefore: number,
    private readonly caller: AbortSignal | undefined,
  ) {
    caller?.addEventListener('abort', this.stop, { once: true })
    if (caller?.aborted) this.stop()
  }

  /** From here on time counts. */
  start(): void {
    this.started = performance.now()
    const left = this.seconds - this.spentBefore
    if (left <= 0) this.end()
    else this.timer = setTimeout(this.end, 1000 * left).unref()
  }

  /** Fires when the time is up, or when the caller wants to stop. */
  get signal(): AbortSignal {
    return this.controller.signal
  }

  /** Seconds, of all runs of this search. */
  get spent(): number {
    const now = this.started === undefined ? 0 : (performance.now() - this.started) / 1000
    return this.spentBefore + now
  }

  get isOver(): boolean {
    return this.over
  }

  close(): void {
    clearTimeout(this.timer)
    this.caller?.removeEventListener('abort', this.stop)
  }

  private readonly end = (): void => {
    this.over = true
    this.controller.abort()
  }

  private readonly stop = (): void => this.controller.abort()
}
