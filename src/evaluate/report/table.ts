import Table from 'cli-table3'
import type { Comparison, RankerResult } from '../compare.js'

/** The comparison for a terminal: one line per ranker, then what was done. */
export function comparisonTable(comparison: Comparison): string {
  const { k, split, baseline, results } = comparison
  const table = new Table({
    head: [
      'ranker',
      `NDCG@${k}`,
      '95 %',
      `- ${baseline}`,
      '95 %',
      'p',
      `Recall@${k}`,
      `MRR@${k}`,
      'coverage',
      'Gini',
    ],
    style: { head: [], border: [] },
    colAligns: ['left', 'right', 'right', 'right', 'right', 'right', 'right', 'right', 'right', 'right'],
  })
  for (const result of results) table.push(line(result, k))
  return [
    `${split.name}: ${split.cases} rankings of ${split.people} people over ${split.items} items, ${split.trainingInteractions} interactions to learn from.`,
    ...split.notes,
    table.toString(),
  ].join('\n')
}

function line({ name, metrics, difference, lists }: RankerResult, k: number): string[] {
  const ndcg = metrics[`ndcg@${k}`]
  const against = difference?.[`ndcg@${k}`]
  return [
    name,
    figure(ndcg.mean),
    interval(ndcg),
    against === undefined ? '' : signed(against.mean),
    against === undefined ? '' : interval(against, signed),
    against === undefined ? '' : against.p.toFixed(3),
    figure(metrics[`recall@${k}`].mean),
    figure(metrics[`mrr@${k}`].mean),
    `${(100 * lists.coverage).toFixed(1)} %`,
    lists.gini.toFixed(3),
  ]
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
