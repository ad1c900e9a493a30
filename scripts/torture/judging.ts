import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { runStage } from './children.js'
import { differences, stateOf } from './state.js'
import { lineOf, type TortureContext, type TortureLine, type TortureTest } from './test.js'
import { Trials } from './trials.js'

/** SIGKILL while a training judges what it has learned: hours of learning lie behind it, and nothing is live yet. */
export const test: TortureTest = {
  name: 'judging',
  promise:
    'A training that is killed while it judges what it has learned does not learn it again: the next run judges, decides and publishes what an undisturbed one does.',
  run,
}

/** Said while an epoch is trained. */
const EPOCH = /^(text|text \+ ids|judged|cold items|everything) [\d.]+$/
/** What is said at the beginning of every 64 rankings, in some part of every judging. */
const JUDGED = /^judge \d+$/
/** The kill comes at one of so many first words of the judging. */
const FIRST = 6

async function run({ short, random, work, signal, log }: TortureContext): Promise<TortureLine> {
  const started = performance.now()
  const counts = { kills: 0, inside: 0, learnedAgain: 0, mismatched: 0 }
  const complaints: string[] = []
  const trials = Trials.shared('brief')
  const { state } = await trials.reference('train', 'int8')
  for (let trial = 0; trial < (short ? 1 : 20) && !signal.aborted; trial++) {
    const folder = await trials.project('train', 'int8', join(work, `train-${trial}`))
    const call = trials.call('train', 'int8', folder)
    let words = 0
    const at = random.integer(FIRST)
    const killed = await runStage(call, {
      progress: (child, what) => {
        if (JUDGED.test(what) && words++ === at) child.kill('SIGKILL')
      },
    })
    if (killed.ended.signal !== 'SIGKILL') {
      complaints.push(`No kill at word ${at} of ${words}: ${killed.failed?.fact ?? killed.ended.stderr}`)
      continue
    }
    counts.kills++
    if (!killed.finished) counts.inside++
    const epochs: string[] = []
    const resumed = await runStage(call, {
      progress: (_, what) => {
        if (EPOCH.test(what)) epochs.push(what)
      },
    })
    if (epochs.length > 0) {
      counts.learnedAgain++
      complaints.push(`${folder}, killed at word ${at} of judging, learned again: ${epochs[0]}`)
    }
    const wrong = resumed.finished ? differences(stateOf(folder), state) : [resumed.failed?.fact ?? 'no end']
    if (wrong.length > 0) {
      counts.mismatched++
      complaints.push(`${folder}, killed at word ${at} of judging, differs in ${wrong.join(', ')}`)
    } else {
      rmSync(folder, { recursive: true, force: true })
    }
    log(JSON.stringify(counts))
  }
  return lineOf('judging', started, counts, ['learnedAgain', 'mismatched'], complaints)
}
