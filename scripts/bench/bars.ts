import type { Ratio } from './figures.js'
import type { BenchTable } from './part.js'
import { figure } from './print.js'

/** Something that was to be reached, and whether it was. */
export interface Bar {
  readonly name: string
  readonly wanted: string
  readonly measured: string
  readonly met: boolean
}

/** Met where the measured figure (not its interval) is at least `wanted`. */
export function atLeast(name: string, wanted: number, measured: number | Ratio, unit = ''): Bar {
  return bar(name, `>= ${figure(wanted)}${unit}`, measured, unit, (value) => value >= wanted)
}

/** Met where the measured figure is less than `wanted`. */
export function below(name: string, wanted: number, measured: number | Ratio, unit = ''): Bar {
  return bar(name, `< ${figure(wanted)}${unit}`, measured, unit, (value) => value < wanted)
}

function bar(
  name: string,
  wanted: string,
  measured: number | Ratio,
  unit: string,
  met: (value: number) => boolean,
): Bar {
  const { ratio, low, high } =
    typeof measured === 'number' ? { ratio: measured, low: measured, high: measured } : measured
  const interval = low === high ? '' : ` (${figure(low)} to ${figure(high)})`
  return { name, wanted, measured: `${figure(ratio)}${unit}${interval}`, met: met(ratio) }
}

export function barsTable(title: string, bars: readonly Bar[], notes: readonly string[] = []): BenchTable {
  return {
    title,
    columns: [{ name: 'bar' }, { name: 'wanted' }, { name: 'measured' }, { name: 'met' }],
    rows: bars.map(({ name, wanted, measured, met }) => [name, wanted, measured, met ? 'met' : 'NOT MET']),
    notes,
  }
}
