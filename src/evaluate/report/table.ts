import Table from 'cli-table3'
import type { MetricName } from '../case-metrics.js'
import type { Comparison, RankerResult } from '../comparison.js'
import { amongHiddenKey } from '../ranker-tally.js'

/** Metrics as the field writes them. */
const TITLES: { readonly [metric in MetricName]: string } = {
  ndcg: 'NDCG',
  recall: 'Recall',
  hitRate: 'HitRate',
  mrr: 'MRR',
  map: 'MAP',
}

/** 'NDCG@10': what the headline of a comparison is about. */
export function headline({ metric, k }: Pick<Comparison, 'metric' | 'k'>): string {
  return `${TITLES[metric]}@${k}`
}

/** The key of the headline among the figures. */
export function headlineKey({ metric, k }: Pick<Comparison, 'metric' | 'k'>): string {
  return `${metric}@${k}`
}

/** Somebody has more cases than others, so that figures by case are not those by person. */
export function differsByCase({ results }: Comparison): boolean {
  return results.some(({ metrics, byCase }) =>
    Object.keys(metrics).some((metric) => Math.abs(metrics[metric].mean - byCase[metric].mean) > 1e-9),
  )
}

/** The comparison for a terminal: one line per ranker, then one per ranker and seed, then what was done. */
export function comparisonTable(comparison: Comparison): string {
  const { split, seeds } = comparison
  return [
    `${split.name}: ${split.cases} rankings of ${split.people} people over ${split.items} items, ${split.trainingInteractions} interactions to learn from.`,
    ...split.notes,
    plainTable(...pooledTable(comparison)),
    ...(differsByCase(comparison)
      ? [
          'By case: every ranking counts alike, whosever it is; intervals are over people.',
          plainTable(...caseTable(comparison)),
        ]
      : []),
    ...(seeds.length > 1
      ? [
          `Above: a person's figure is the mean over seeds ${seeds.join(', ')}. Each seed by itself, ${headline(comparison)}:`,
          plainTable(...seedTable(comparison)),
        ]
      : []),
  ].join('\n')
}

/** Head and rows of a table, the first column being a name. */
export type Cells = readonly [head: readonly string[], rows: readonly (readonly string[])[]]

function pooledTable(comparison: Comparison): Cells {
  const { k, baseline, results, metric } = comparison
  const others = (['ndcg', 'recall', 'mrr'] as const).filter((other) => other !== metric)
  const key = headlineKey(comparison)
  const hides = results.some(({ metrics }) => Object.hasOwn(metrics, amongHiddenKey(key)))
  const head = [
    'ranker',
    headline(comparison),
    '95 %',
    `- ${baseline}`,
    '95 %',
    'p',
    ...others.map((other) => headline({ metric: other, k })),
    ...(hides ? ['among hidden alone'] : []),
    'coverage',
    'Gini',
  ]
  const rows = results.map(({ name, metrics, difference, lists }) => [
    name,
    figure(metrics[key].mean),
    interval(metrics[key]),
    ...against(difference?.[key]),
    ...others.map((other) => figure(metrics[`${other}@${k}`].mean)),
    ...(hides ? [figure(metrics[amongHiddenKey(key)].mean)] : []),
    `${(100 * lists.coverage).toFixed(1)} %`,
    lists.gini.toFixed(3),
  ])
  return [head, rows]
}

/** The headline over cases. */
export function caseTable(comparison: Comparison): Cells {
  const { baseline, results } = comparison
  const key = headlineKey(comparison)
  return [
    ['ranker', `${headline(comparison)} by case`, '95 %', `- ${baseline}`, '95 %', 'p'],
    results.map(({ name, byCase, differenceByCase }) => [
      name,
      figure(byCase[key].mean),
      interval(byCase[key]),
      ...against(differenceByCase?.[key]),
    ]),
  ]
}

/** Each ranker under each seed, and its difference to the baseline. */
export function seedTable(comparison: Comparison): Cells {
  const { baseline, runs } = comparison
  const key = headlineKey(comparison)
  return [
    ['ranker', 'seed', headline(comparison), '95 %', `- ${baseline}`, '95 %', 'p'],
    comparison.results.flatMap((_, at) =>
      runs.map(({ seed, results }) => {
        const { name, metrics, difference } = results[at]
        return [
          name,
          String(seed),
          figure(metrics[key].mean),
          interval(metrics[key]),
          ...against(difference?.[key]),
        ]
      }),
    ),
  ]
}

function against(difference: NonNullable<RankerResult['difference']>[string] | undefined): string[] {
  return difference === undefined
    ? ['', '', '']
    : [signed(difference.mean), interval(difference, signed), difference.p.toFixed(3)]
}

function plainTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const table = new Table({
    head: [...head],
    style: { head: [], border: [] },
    colAligns: head.map((_, column) => (column === 0 ? 'left' : 'right')),
  })
  for (const row of rows) table.push([...row])
  return table.toString()
}

/** Four decimals: the noise of these figures is in the third. */
export function figure(value: number): string {
  return value.toFixed(4)
}

export function signed(value: number): string {
  return `${value < 0 ? '-' : '+'}${Math.abs(value).toFixed(4)}`
}

export function interval(
  { low, high }: { readonly low: number; readonly high: number },
  show: (value: number) => string = figure,
): string {
  return `${show(low)} to ${show(high)}`
}
