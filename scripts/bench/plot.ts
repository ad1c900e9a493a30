import { escapeHtml, htmlPage, htmlTable } from '../../src/evaluate/report/html.js'
import { library, svg } from '../../src/evaluate/report/plots.js'
import type { BenchTable } from './part.js'
import { cellText, heads } from './print.js'

/** The tables of a run as one HTML page with a plot each; it needs nothing else. */
export async function benchPage(title: string, tables: readonly BenchTable[]): Promise<string> {
  const sections: string[] = []
  for (const one of tables) {
    const drawing = one.curve === undefined ? await bars(one) : await curves(one, one.curve)
    const figures = htmlTable(
      heads(one),
      one.rows.map((row) => row.map(cellText)),
    )
    const notes = one.notes.map((note) => `<p>${escapeHtml(note)}</p>`).join('\n')
    sections.push(`<h2>${escapeHtml(one.title)}</h2>\n${drawing}\n${figures}\n${notes}`)
  }
  return htmlPage(title, `<h1>${escapeHtml(title)}</h1>\n${sections.join('\n')}`)
}

async function bars(one: BenchTable): Promise<string> {
  const numeric = (i: number) => i > 0 && one.rows.some((row) => typeof row[i] === 'number')
  const measured = one.columns.findIndex(({ unit }, i) => unit !== undefined && numeric(i))
  const at = measured < 0 ? one.columns.findIndex((_, i) => numeric(i)) : measured
  if (at < 0) return ''
  // What stands before it names the row: sizes are such columns, they have no unit.
  const data = one.rows.flatMap((row) => {
    const value = row[at]
    return typeof value === 'number' ? [{ name: row.slice(0, at).map(cellText).join(', '), value }] : []
  })
  const { plot, document } = await library()
  const names = data.map(({ name }) => name)
  return svg(
    plot.plot({
      document,
      width: 760,
      height: 60 + 24 * data.length,
      marginLeft: 20 + 7 * Math.max(...names.map((name) => name.length)),
      x: { label: heads(one)[at], grid: true, zero: true },
      y: { label: null, domain: names },
      marks: [plot.barX(data, { y: 'name', x: 'value', fill: '#48a' }), plot.ruleX([0])],
    }),
  )
}

async function curves(one: BenchTable, shown: NonNullable<BenchTable['curve']>): Promise<string> {
  const column = (name: string) => one.columns.findIndex((each) => each.name === name)
  const [x, y, of] = [column(shown.x), column(shown.y), column(shown.of)]
  const points = one.rows
    .filter((row) => typeof row[x] === 'number' && typeof row[y] === 'number')
    .map((row) => ({ x: row[x] as number, y: row[y] as number, of: cellText(row[of]) }))
  const { plot, document } = await library()
  return svg(
    plot.plot({
      document,
      width: 760,
      height: 360,
      marginLeft: 60,
      x: { label: heads(one)[x], grid: true, type: shown.logX ? 'log' : 'linear' },
      y: { label: heads(one)[y], grid: true },
      color: { legend: true },
      marks: [
        plot.line(points, { x: 'x', y: 'y', stroke: 'of' }),
        plot.dot(points, { x: 'x', y: 'y', stroke: 'of', r: 3 }),
      ],
    }),
  )
}
