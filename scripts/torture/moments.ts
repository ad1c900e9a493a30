import { readdirSync, readFileSync } from 'node:fs'

/** Clock ticks a second in which Linux counts processor time. */
const TICKS = 100
/** Nothing runs on more cores than this: how long at least a moment that lies ahead is away. */
const CORES = 2
/** Milliseconds by the clock after the moment, at random: so that waits for the disk are met as well. */
const LATE = 30

/**
 * Seconds of processor time that a process has had, all its threads together and the processes that it started: graphs
 * are built in one of their own. Undefined once it is gone.
 */
export function processorTime(pid: number): number | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    // The second field is the program's name in brackets and may hold anything; count from the last bracket.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    // Its own in user and system mode, and that of children that are over.
    const ticks = fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0)
    return childrenOf(pid).reduce((sum, child) => sum + (processorTime(child) ?? 0), ticks / TICKS)
  } catch {
    return undefined
  }
}

function childrenOf(pid: number): number[] {
  return readdirSync(`/proc/${pid}/task`).flatMap((thread) => {
    try {
      const children = readFileSync(`/proc/${pid}/task/${thread}/children`, 'latin1').trim()
      return children === '' ? [] : children.split(' ').map(Number)
    } catch {
      return [] // the thread has ended since
    }
  })
}

/**
 * Calls `then` when the process has done `seconds` more of work: processor time, because by the clock a loaded machine
 * would be at another point of the work each time. Never, if the process ends before.
 * @param late from 0 to 1: which share of `LATE` comes on top
 */
export function afterWork(pid: number, seconds: number, late: number, then: () => void): void {
  const start = processorTime(pid)
  const look = () => {
    const now = processorTime(pid)
    if (now === undefined || start === undefined) return
    const left = seconds - (now - start)
    if (left > 0) setTimeout(look, Math.max(2, (1000 * left) / CORES))
    else setTimeout(then, LATE * late)
  }
  look()
}
