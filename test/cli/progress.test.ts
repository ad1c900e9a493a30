import type { Progress } from 'textrec'
import { describe, expect, test } from 'vitest'
import { catchInterrupts } from '#src/cli/interrupt.js'
import { describeProgress, drawBar, Pace, ProgressBar, ProgressLines, shareOf } from '#src/cli/progress.js'

const texts = (done: number, total?: number): Progress => ({ stage: 'encode', done, total, unit: 'texts' })

function paced(reports: readonly (readonly [time: number, progress: Progress])[]): Pace {
  const pace = new Pace()
  for (const [time, progress] of reports) pace.sample(progress, time)
  return pace
}

describe('Pace', () => {
  test('says nothing before there is anything to go by', () => {
    const pace = paced([[0, texts(0, 100)]])
    expect(pace.rate()).toBeUndefined()
    expect(pace.left()).toBeUndefined()
  })

  test('gives rate and time left', () => {
    const pace = paced([
      [0, texts(0, 1000)],
      [2, texts(100, 1000)],
    ])
    expect(pace.rate()).toBe(50)
    expect(pace.left()).toBeCloseTo(18)
  })

  test('does not count as speed what a stopped run had done before', () => {
    const pace = paced([
      [0, texts(900, 1000)],
      [2, texts(910, 1000)],
    ])
    expect(pace.rate()).toBe(5)
    expect(pace.left()).toBeCloseTo(18)
  })

  test('forgets how fast it was long ago', () => {
    const pace = new Pace()
    for (let time = 0; time <= 100; time++)
      pace.sample(texts(time <= 50 ? time * 100 : 5000 + (time - 50)), time)
    expect(pace.rate()).toBeCloseTo(1)
  })

  test('keeps few samples of many reports', () => {
    const pace = new Pace()
    for (let i = 0; i <= 100_000; i++) pace.sample(texts(i), i / 10_000)
    expect(pace.rate()).toBeCloseTo(10_000)
  })
})

describe('describeProgress', () => {
  test('counts, share, rate, time left and figures', () => {
    const progress = { ...texts(500, 1000), figures: { loss: 0.31234, epoch: 2 } }
    const pace = paced([
      [0, texts(0, 1000)],
      [2, progress],
    ])
    expect(describeProgress(progress, pace)).toBe(
      '500/1,000 texts (50 %), 250/s, 2.0 s left, loss 0.3123, epoch 2',
    )
  })

  test('takes the word of a stage for how far it is', () => {
    const progress = { ...texts(2, 1000), share: 0.5 }
    const pace = paced([
      [0, { ...texts(0, 1000), share: 0 }],
      [2, progress],
    ])
    expect(describeProgress(progress, pace)).toBe('2/1,000 texts (50 %), 1.0/s, 2.0 s left')
    expect(shareOf({ ...progress, share: 1.2 })).toBe(1)
  })

  test('takes the share from bytes where the number of rows is not known', () => {
    const progress: Progress = {
      stage: 'import',
      done: 10,
      unit: 'rows',
      figures: { bytes: 25, totalBytes: 100 },
    }
    expect(shareOf(progress)).toBe(0.25)
    expect(describeProgress(progress, new Pace())).toBe('10 rows (25 %)')
  })

  test('only counts where nothing is known of the end', () => {
    expect(describeProgress(texts(12), new Pace())).toBe('12 texts')
    expect(shareOf(texts(0, 0))).toBeUndefined()
  })
})

test('drawBar draws as much as is done and fits the terminal', () => {
  expect(drawBar(texts(50, 100), new Pace(), 80)).toBe(
    `encode [${'='.repeat(12)}${' '.repeat(12)}] 50/100 texts (50 %)`,
  )
  expect(drawBar(texts(50), new Pace(), 80)).toBe('encode 50 texts')
  expect(drawBar(texts(50, 100), new Pace(), 20)).toHaveLength(19)
})

test('ProgressLines writes a line every few seconds and none for quick work', () => {
  const lines: string[] = []
  let now = 0
  const display = new ProgressLines(
    (text) => lines.push(text),
    () => now,
  )
  for (now = 0; now <= 12; now++) display.report(texts(now * 10, 1000))
  expect(lines).toEqual([
    'encode: 50/1,000 texts (5 %), 10/s, 1 min 35 s left\n',
    'encode: 100/1,000 texts (10 %), 10/s, 1 min 30 s left\n',
  ])
})

test('ProgressBar opens one bar per stage and closes each', () => {
  const calls: string[] = []
  let bars = 0
  const display = new ProgressBar(() => {
    const name = `bar ${++bars}`
    return {
      start: () => calls.push(`${name} start`),
      update: () => calls.push(`${name} update`),
      stop: () => calls.push(`${name} stop`),
    }
  })
  display.report(texts(1, 2))
  display.report(texts(2, 2))
  display.report({ stage: 'build', done: 1, total: 1, unit: 'items' })
  display.stop()
  display.stop()
  expect(calls).toEqual([
    'bar 1 start',
    'bar 1 update',
    'bar 1 update',
    'bar 1 stop',
    'bar 2 start',
    'bar 2 update',
    'bar 2 stop',
  ])
})

test('the first interrupt aborts, a second one only says that it is stopping', () => {
  const said: string[] = []
  const before = process.listenerCount('SIGINT')
  const interrupt = catchInterrupts((text) => said.push(text))
  expect(interrupt.signal.aborted).toBe(false)
  process.emit('SIGINT')
  expect(interrupt.signal.aborted).toBe(true)
  process.emit('SIGTERM')
  expect(said).toEqual([
    'Stopping at the next safe point; what is done is kept.',
    'Stopping within seconds, whatever is being done; what is done is kept.',
  ])
  interrupt.release()
  expect(process.listenerCount('SIGINT')).toBe(before)
})
