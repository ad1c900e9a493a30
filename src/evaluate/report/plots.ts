import { TextrecError } from '../../errors.js'
import type { Comparison } from '../comparison.js'
import { headline, headlineKey } from './table.js'

/** The plots of a comparison as SVG text; drawn without a browser. Loaded on first use: plotting costs start-up time. */
export async function comparisonPlots(comparison: Comparison): Promise<{
  readonly figures: string
  readonly differences: string
  readonly slices: string
}> {
  const { plot, document } = await library()
  const metric = headlineKey(comparison)
  const title = headline(comparison)
  const names = comparison.results.map(({ name }) => name)
  const margin = 20 + 7 * Math.max(...names.map((name) => name.length))
  const height = 60 + 26 * names.length
  const common = { document, marginLeft: margin, width: 760 }

  const figures = comparison.results.map(({ name, metrics }) => ({ name, ...metrics[metric] }))
  const differences = comparison.results.flatMap(({ name, difference }) =>
    difference === undefined ? [] : [{ name, ...difference[metric] }],
  )
  const slices = comparison.results.flatMap(({ name, slices: parts }) =>
    parts.map(({ by, slice, metrics }) => ({ name, slice: `${by}: ${slice}`, ...metrics[metric] })),
  )
  const sliceNames = [...new Set(slices.map(({ slice }) => slice))]
  return {
    figures: svg(
      plot.plot({
        ...common,
        height,
        x: { label: title, grid: true, zero: true },
        y: { label: null, domain: names },
        marks: [
          plot.ruleY(figures, { y: 'name', x1: 'low', x2: 'high', strokeWidth: 2 }),
          plot.dot(figures, { y: 'name', x: 'mean', r: 4, fill: 'currentColor' }),
        ],
      }),
    ),
    differences: svg(
      plot.plot({
        ...common,
        height,
        x: { label: `${title} less that of ${comparison.baseline}`, grid: true, zero: true },
        y: { label: null, domain: differences.map(({ name }) => name) },
        marks: [
          plot.ruleX([0], { strokeDasharray: '4' }),
          plot.ruleY(differences, { y: 'name', x1: 'low', x2: 'high', strokeWidth: 2 }),
          plot.dot(differences, {
            y: 'name',
            x: 'mean',
            r: 4,
            fill: (d: { significant: boolean }) => (d.significant ? '#0a6' : '#999'),
          }),
        ],
      }),
    ),
    slices: svg(
      plot.plot({
        ...common,
        height: 60 + 14 * names.length * sliceNames.length,
        marginRight: 150,
        x: { label: title, grid: true, zero: true },
        y: { label: null, domain: names },
        fy: { label: null, domain: sliceNames },
        marks: [
          plot.frame({ stroke: '#ddd' }),
          plot.ruleY(slices, { fy: 'slice', y: 'name', x1: 'low', x2: 'high' }),
          plot.dot(slices, { fy: 'slice', y: 'name', x: 'mean', r: 3, fill: 'currentColor' }),
        ],
      }),
    ),
  }
}

/** The plotting library and a document to draw in. */
export async function library() {
  try {
    const [plot, { parseHTML }] = await Promise.all([import('@observablehq/plot'), import('linkedom')])
    return { plot, document: parseHTML('<html><body></body></html>').document }
  } catch (cause) {
    throw new TextrecError(
      'DEPENDENCY_MISSING',
      'The plotting library could not be loaded.',
      'Install textrec again, or leave the report out.',
      { cause },
    )
  }
}

export function svg(element: { readonly outerHTML: string }): string {
  return element.outerHTML
}
