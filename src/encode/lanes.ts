import { TextrecError } from '../errors.js'
import type { Progress } from '../types.js'
import { costOf } from './batches.js'
import type { Encoded, EncodeRequest } from './engine.js'

/** Who computes: a worker thread that holds an encoder. */
export interface Lane {
  encode(request: EncodeRequest, options: LaneOptions): Promise<Encoded>
  close(): Promise<void>
}

export interface LaneOptions {
  readonly signal?: AbortSignal
  readonly onProgress?: (progress: Progress) => void
}

interface Held {
  readonly lane: Lane
  calls: number
  /** Of its calls, see workOf. */
  work: number
}

interface Job {
  readonly request: EncodeRequest
  readonly options: LaneOptions
  readonly resolve: (encoded: Encoded) => void
  readonly reject: (error: unknown) => void
}

/** Calls that a lane has at a time: one that it computes and one that it finds when it is done. */
const CALLS_PER_LANE = 2
/**
 * Waiting texts of so many characters together are worth another lane, which takes half a second to open and the
 * memory of a model; a question or a changed item is not.
 */
const MUCH_WORK = 4096
/** Lanes beyond the first end after so long without work. */
const IDLE_MILLISECONDS = 60_000

const workOf = ({ texts }: EncodeRequest) => texts.reduce((sum, text) => sum + costOf(text), 0)

/**
 * The same encoder in one worker thread or in several, each computing portions of its own with its share of the
 * processors. The first is always there; others are opened when much work waits and closed when there is none.
 * Which lane computes a portion changes nothing about its vectors.
 */
export class Lanes {
  private readonly held: Held[]
  private readonly waiting: Job[] = []
  private waitingWork = 0
  private readonly running = new Set<Promise<unknown>>()
  private opening: Promise<void> | undefined
  private timer: NodeJS.Timeout | undefined
  private closed: Promise<void> | undefined

  /**
   * @param another opens one more lane
   * @param most lanes that may be open at a time
   */
  constructor(
    first: Lane,
    private readonly another: () => Promise<Lane>,
    private most: number,
  ) {
    this.held = [{ lane: first, calls: 0, work: 0 }]
  }

  /** @throws what the lane throws; PROJECT_CLOSED after `close`. */
  encode(request: EncodeRequest, options: LaneOptions): Promise<Encoded> {
    if (this.closed !== undefined) {
      return Promise.reject(
        new TextrecError('PROJECT_CLOSED', 'The encoder has been closed.', 'Open it again.'),
      )
    }
    clearTimeout(this.timer)
    return new Promise((resolve, reject) => {
      const job = { request, options, resolve, reject }
      // Somebody waits for the answer to a question; documents can.
      if (request.kind === 'query') this.waiting.unshift(job)
      else this.waiting.push(job)
      this.waitingWork += workOf(request)
      this.assign()
    })
  }

  /** Calls that are open are answered first. Safe to call twice. */
  close(): Promise<void> {
    this.closed ??= this.end()
    return this.closed
  }

  private async end(): Promise<void> {
    while (this.running.size > 0) await Promise.allSettled(this.running)
    clearTimeout(this.timer)
    await Promise.all(this.held.map(({ lane }) => lane.close()))
  }

  private assign(): void {
    while (this.waiting.length > 0) {
      if (this.held.every(({ calls }) => calls > 0) && this.waitingWork >= MUCH_WORK) this.openAnother()
      // The lane that will be done first: of a few portions, which get shorter, both get about the same.
      const [free] = this.held.filter(({ calls }) => calls < CALLS_PER_LANE).sort((a, b) => a.work - b.work)
      if (free === undefined) return
      const job = this.waiting.shift() as Job
      this.waitingWork -= workOf(job.request)
      this.track(this.work(free, job))
    }
    if (this.held.every(({ calls }) => calls === 0)) {
      this.timer = setTimeout(() => this.closeOthers(), IDLE_MILLISECONDS).unref()
    }
  }

  private async work(held: Held, { request, options, resolve, reject }: Job): Promise<void> {
    const cost = workOf(request)
    held.calls++
    held.work += cost
    try {
      resolve(await held.lane.encode(request, options))
    } catch (error) {
      reject(error)
    } finally {
      held.calls--
      held.work -= cost
      this.assign()
    }
  }

  private openAnother(): void {
    if (this.opening !== undefined || this.held.length >= this.most || this.closed !== undefined) return
    this.opening = this.open()
    this.track(this.opening)
  }

  private async open(): Promise<void> {
    try {
      this.held.push({ lane: await this.another(), calls: 0, work: 0 })
    } catch {
      // No memory, or a model folder that has changed: the lanes that are open go on as before.
      this.most = this.held.length
    } finally {
      this.opening = undefined
      this.assign()
    }
  }

  private closeOthers(): void {
    for (const { lane } of this.held.splice(1)) this.track(lane.close())
  }

  private track(work: Promise<unknown>): void {
    this.running.add(work)
    const forget = () => this.running.delete(work)
    work.then(forget, forget)
  }
}
