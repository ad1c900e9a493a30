import { curvesPlot, escapeHtml, htmlPage, htmlTable } from '../evaluate/index.js'
import type { Estimate } from '../math/statistics.js'
import type { TrainReport } from './training.js'

/** What a training did, as one HTML page that needs nothing else: the decision, all figures, the curves. */
export async function trainingPage(report: TrainReport): Promise<string> {
  const { adapter, candidate, contests, judged, notes, validation } = report
  const about = [
    `${validation.cases} rankings of ${validation.people} people (${validation.split}), whole catalogue; ${validation.coldCases} rankings of items hidden on purpose.`,
    ...validation.notes,
    ...notes,
  ]
  return htmlPage(
    'training',
    `<h1>${report.published ? 'Published' : 'Kept'}</h1>
<p><b>${escapeHtml(report.why)}</b></p>
<p>${about.map(escapeHtml).join(' ')} Intervals are 95 % bootstrap intervals over people.</p>
<h2>${escapeHtml(candidate.name)}, compared by person</h2>
${htmlTable(
  ['less', 'NDCG@10', '95 %', 'p', 'new items: recall@10', '95 %', ''],
  contests.map(({ against, overall, cold, verdict }) => [
    against,
    figure(overall.mean),
    interval(overall),
    overall.p.toFixed(3),
    cold === undefined ? '' : figure(cold.mean),
    cold === undefined ? '' : interval(cold),
    verdict,
  ]),
)}
<h2>Everything that was judged</h2>
${htmlTable(
  ['', 'NDCG@10', '95 %', 'new items: recall@10', '95 %', ''],
  judged.map(({ name, overall, cold }) => [
    name,
    figure(overall.mean),
    interval(overall),
    cold === undefined ? '' : figure(cold.mean),
    cold === undefined ? '' : interval(cold),
    name !== candidate.name ? '' : report.published ? 'published' : 'compared above',
  ]),
)}
${adapter === undefined ? '' : await curves(adapter)}`,
  )
}

async function curves({
  epochs,
  bestEpoch,
  blend,
  ids,
}: NonNullable<TrainReport['adapter']>): Promise<string> {
  const loss = epochs.map(({ stage, epoch, loss: y }) => ({ curve: stage, x: epoch + 1, y }))
  const validation = epochs.flatMap(({ stage, epoch, validation: y }) =>
    y === undefined ? [] : [{ curve: stage, x: epoch + 1, y }],
  )
  return `<h2>The adapter's training</h2>
<p>${bestEpoch} epochs were best, ${ids ? 'with' : 'without'} IDs. Share of the trained half in an item's vector: ${blend.warm} with interactions, ${blend.cold} without.</p>
${await curvesPlot(loss, { x: 'epoch', y: 'loss' })}
${await curvesPlot(validation, { x: 'epoch', y: 'NDCG@10 on validation, trained half alone' })}`
}

const figure = (value: number): string => value.toFixed(4)
const interval = ({ low, high }: Estimate): string => `${figure(low)} to ${figure(high)}`
