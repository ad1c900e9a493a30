import { createRequire } from 'node:module'
import type Table from 'cli-table3'
import { bold, displayWidth, ellipsis, oneLine } from './text.js'

export interface Column {
  readonly head: string
  readonly align?: 'left' | 'right'
  /** The fewest columns that this one may be squeezed to when the terminal is narrow; never squeezed when absent. */
  readonly least?: number
}

/** Between two columns. */
const GAP = '  '

/** No lines around or between cells: what is printed can be cut, sorted and searched. */
const BARE = {
  top: '',
  'top-mid': '',
  'top-left': '',
  'top-right': '',
  bottom: '',
  'bottom-mid': '',
  'bottom-left': '',
  'bottom-right': '',
  left: '',
  'left-mid': '',
  mid: '',
  'mid-mid': '',
  right: '',
  'right-mid': '',
  middle: GAP,
} as const

/** Width to fit people's output to: the terminal's, or COLUMNS; unlimited when output goes to a file or a pipe. */
export function outputWidth(): number {
  const said = Number(process.env.COLUMNS)
  const width = process.stdout.isTTY ? process.stdout.columns : undefined
  return width || (Number.isSafeInteger(said) && said > 0 ? said : Number.POSITIVE_INFINITY)
}

/**
 * A table for people: a head line and one line per row, cells made safe and cut with … so that lines fit `width`.
 * The last squeezable column gives way first.
 */
export function table(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  width = outputWidth(),
): string {
  const safe = rows.map((row) => row.map(oneLine))
  const widths = fitWidths(columns, safe, width)
  // Loaded with the first table, so that help need not wait for it.
  const TableClass = createRequire(import.meta.url)('cli-table3') as typeof Table
  const drawn = new TableClass({
    head: columns.map(({ head }, i) => bold(ellipsis(head, widths[i]))),
    colAligns: columns.map(({ align }) => align ?? 'left'),
    chars: BARE,
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 0, compact: true },
  })
  for (const row of safe) drawn.push(row.map((cell, i) => ellipsis(cell, widths[i])))
  return drawn
    .toString()
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n')
}

/** Columns per cell: what the longest needs, less what has to go for the line to fit. */
function fitWidths(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  width: number,
): number[] {
  const widths = columns.map(({ head }, i) =>
    rows.reduce((widest, row) => Math.max(widest, displayWidth(row[i])), displayWidth(head)),
  )
  const gaps = GAP.length * (columns.length - 1)
  let excess = widths.reduce((sum, each) => sum + each, gaps) - width
  for (let i = columns.length - 1; i >= 0 && excess > 0; i--) {
    const { least } = columns[i]
    if (least === undefined) continue
    const given = Math.min(excess, Math.max(0, widths[i] - least))
    widths[i] -= given
    excess -= given
  }
  return widths
}

/** Name and value, one pair a line. */
export function facts(pairs: readonly (readonly [name: string, value: string])[]): string {
  const width = pairs.reduce((widest, [name]) => Math.max(widest, displayWidth(name)), 0)
  return pairs
    .map(([name, value]) => `${bold(name)}${' '.repeat(width - displayWidth(name))}  ${oneLine(value)}`)
    .join('\n')
}
