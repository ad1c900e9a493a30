import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { type IndexReport, type Stats, sampleFiles } from 'textrec'
import { expect, test } from 'vitest'
import { document, ended, MAIN, start, temporaryFolder, textrec } from './textrec.js'

const folder = temporaryFolder()
const dir = join(folder, 'books.textrec')

test('an interrupted index ends with 130 and is completed by the next one', async () => {
  expect((await textrec(['import', '--dir', dir, '--items', sampleFiles().items])).code).toBe(0)
  const child = start(process.execPath, [MAIN, 'index', '--dir', dir, '--threads', '1', '--json'])
  const end = ended(child)
  // Indexing has begun once its lock is there. However far it has come when the signal arrives, it ends with 130.
  while (!existsSync(join(dir, 'locks', 'index.lock')) && child.exitCode === null) await setTimeout(10)
  child.kill('SIGINT')
  const { code, stdout, stderr } = await end
  expect(code).toBe(130)
  expect(stderr).toContain('Stopping at the next safe point; what is done is kept.\n')
  const last = stderr.trim().split('\n').at(-1) as string
  if (stdout === '') expect(JSON.parse(last)).toMatchObject({ error: { code: 'ABORTED' } })

  const rerun = await textrec(['index', '--dir', dir, '--threads', '1', '--json'])
  expect(rerun.code).toBe(0)
  const report = document<IndexReport>(rerun)
  const stats = document<Stats>(await textrec(['stats', '--dir', dir, '--json']))
  expect(stats).toMatchObject({ itemsStale: 0, itemsWithVector: report.index.size })
  expect((await textrec(['doctor', '--dir', dir])).code).toBe(0)
})

const interrupts = new URL('../../dist/src/cli/interrupt.js', import.meta.url).href

/** Sends two signals to a process that says what it hears and goes on for so long after the first. */
async function interruptTwice(milliseconds: number) {
  const script = `
    const { catchInterrupts } = await import(${JSON.stringify(interrupts)})
    const { signal } = catchInterrupts((text) => console.error(text), 1000)
    signal.addEventListener('abort', () => setTimeout(() => process.exit(130), ${milliseconds}))
    setInterval(() => {}, 1000)
    console.error('ready')
  `
  const child = start(process.execPath, ['--input-type=module', '-e', script])
  let said = ''
  child.stderr?.on('data', (chunk) => {
    const before = said
    said += chunk
    for (const word of ['ready', 'Stopping at']) {
      if (said.includes(word) && !before.includes(word)) child.kill('SIGINT')
    }
  })
  await ended(child)
  return { code: child.exitCode, signal: child.signalCode, said }
}

test('asked twice, it ends soon: in order if the step is done by then, else by a kill that no native code hears of', async () => {
  expect(await interruptTwice(3_600_000)).toMatchObject({ code: null, signal: 'SIGKILL' })
  const calm = await interruptTwice(200)
  expect(calm).toMatchObject({ code: 130, signal: null })
  expect(calm.said).toContain('what is done is kept')
})
