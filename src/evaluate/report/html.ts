import type { Comparison, RankerResult } from '../comparison.js'
import { comparisonPlots } from './plots.js'
import {
  caseTable,
  differsByCase,
  figure,
  headline,
  headlineKey,
  interval,
  seedTable,
  signed,
} from './table.js'

const STYLE = `
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #222 }
table { border-collapse: collapse; margin: 1rem 0; display: block; overflow-x: auto }
th, td { padding: .25rem .7rem; border-bottom: 1px solid #ddd; text-align: right; white-space: nowrap }
th:first-child, td:first-child { text-align: left }
svg { max-width: 100%; height: auto }
`

/** The comparison as one HTML page that needs nothing else: no script, no network. */
export async function comparisonPage(comparison: Comparison): Promise<string> {
  const { k, split, baseline, results, seed, seeds } = comparison
  const title = headline(comparison)
  const key = headlineKey(comparison)
  const plots = await comparisonPlots(comparison)
  const metrics = Object.keys(results[0].metrics)
  return htmlPage(
    split.name,
    `<h1>Evaluation: ${escapeHtml(split.name)}</h1>
<p>${split.cases} rankings of ${split.people} people over the whole catalogue of ${split.items} items; ${split.trainingInteractions} interactions to learn from. ${split.notes.map(escapeHtml).join(' ')}</p>
<p>Each figure is taken per person${seeds.length > 1 ? `, averaged over the seeds ${seeds.join(', ')}` : ''}, then averaged; intervals are 95 % bootstrap intervals over people (seed ${seed}). Rankings leave out what a person already has; equal scores go to the smaller item number.</p>
<h2>${title}</h2>
${plots.figures}
<h2>Against ${escapeHtml(baseline)}, paired by person</h2>
${results.length > 1 ? plots.differences : '<p>There is nothing to compare.</p>'}
${htmlTable(
  ['ranker', 'difference', '95 %', 'p', 'significant'],
  results
    .filter(({ difference }) => difference !== undefined)
    .map(({ name, difference }) => {
      const one = difference![key]
      return [name, signed(one.mean), interval(one, signed), one.p.toFixed(3), one.significant ? 'yes' : 'no']
    }),
)}
${
  differsByCase(comparison)
    ? `<h2>By case</h2>
<p>Every ranking counts alike here, whosever it is: people with many cases weigh more than above. Intervals are over people all the same.</p>
${htmlTable(...caseTable(comparison))}`
    : ''
}
${
  seeds.length > 1
    ? `<h2>Each seed by itself</h2>
${htmlTable(...seedTable(comparison))}`
    : ''
}
<h2>All metrics</h2>
${byCutoff(metrics)
  .map((some) => metricTable(results, some))
  .join('\n')}
<h2>The lists as a whole, at ${k}</h2>
${htmlTable(
  ['ranker', ...Object.keys(results[0].lists), 'seconds to fit', 'seconds to rank'],
  results.map((result) => [
    result.name,
    ...Object.values(result.lists).map(figure),
    result.fitSeconds.toFixed(1),
    result.rankSeconds.toFixed(1),
  ]),
)}
<h2>By kind of target and length of history: ${title}</h2>
${plots.slices}
${htmlTable(
  ['slice', 'people', ...results.map(({ name }) => name)],
  results[0].slices.map(({ by, slice, people }, i) => [
    `${by}: ${slice}`,
    String(people),
    ...results.map((result) => sliceFigure(result, i, key)),
  ]),
)}`,
  )
}

/** A page that needs nothing else. @param body HTML, everything foreign in it escaped */
export function htmlPage(title: string, body: string): string {
  return `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>textrec: ${escapeHtml(title)}</title><style>${STYLE}</style></head>
<body>
${body}
</body>
</html>
`
}

/** The metrics at one cut-off, then those at the next. */
function byCutoff(metrics: readonly string[]): string[][] {
  const cutoffs = new Set(metrics.map((metric) => metric.slice(metric.indexOf('@'))))
  return Array.from(cutoffs, (cutoff) =>
    metrics.filter((metric) => metric.slice(metric.indexOf('@')) === cutoff),
  )
}

function metricTable(results: readonly RankerResult[], metrics: readonly string[]): string {
  return htmlTable(
    ['ranker', ...metrics],
    results.map((result) => [result.name, ...metrics.map((metric) => figure(result.metrics[metric].mean))]),
  )
}

function sliceFigure(result: RankerResult, slice: number, key: string): string {
  const { mean, low, high } = result.slices[slice].metrics[key]
  return `${figure(mean)} ± ${figure((high - low) / 2)}`
}

export function htmlTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[], tag: string) =>
    `<tr>${cells.map((cell) => `<${tag}>${escapeHtml(cell)}</${tag}>`).join('')}</tr>`
  return `<table>\n${line(head, 'th')}\n${rows.map((cells) => line(cells, 'td')).join('\n')}\n</table>`
}

const ENTITIES: { readonly [character: string]: string } = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
}

export function escapeHtml(text: string): string {
  return text.replace(/[&<>"]/g, (character) => ENTITIES[character])
}
