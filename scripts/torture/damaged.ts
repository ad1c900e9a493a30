import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { foreignBytes, type Subject, subjectsIn } from './damaged-files.js'
import { Findings } from './damaged-findings.js'
import { forged, pages, repairs } from './damaged-project.js'
import { makeBase } from './export-project.js'
import { DAMAGES, mutant } from './mutants.js'
import { Prober } from './prober.js'
import { lineOf, type TortureContext, type TortureTest } from './test.js'

/** Files as a failing disk, a broken copy or a wrong hand leaves them. */
export const test: TortureTest = {
  name: 'damaged',
  promise:
    'A damaged index, manifest, adapter, graph or model file never ends the process and never answers: it is refused with its code, or made anew where that needs nobody. What a project can rebuild, `doctor --repair` does.',
  run,
}

async function run(context: TortureContext) {
  const started = performance.now()
  const { work, short } = context
  const projects = [join(work, 'shop'), join(work, 'other')] as const
  await makeBase(projects[0], 'hnsw')
  await makeBase(projects[1], 'hnsw', 4)
  const prober = new Prober()
  const findings = new Findings()
  try {
    for (const subject of await subjectsIn(work, projects, prober))
      await mutants(context, prober, findings, subject, short ? 30 : 1000)
    await forged(context, prober, findings, projects[0], short ? 10 : 200)
    await pages(context, prober, findings, projects, short ? 20 : 200)
    await repairs(context, prober, findings, projects[0], short ? 3 : 40)
  } finally {
    prober.end()
  }
  const { counts, complaints, notes, refusals } = findings
  return lineOf('damaged', started, counts, Findings.NONE, complaints, [...notes, `refused as ${refusals}`])
}

/** Damages one file of the subject after the other, in every way. */
async function mutants(
  context: TortureContext,
  prober: Prober,
  findings: Findings,
  subject: Subject,
  count: number,
): Promise<void> {
  const { random, work, signal, log } = context
  const before = { ...findings.counts }
  const copy = join(work, 'mutant')
  const refresh = () => {
    rmSync(copy, { recursive: true, force: true })
    cpSync(subject.folder, copy, { recursive: true })
  }
  refresh()
  const whole = await subject.ask(prober, copy)
  if (whole.kind !== 'answer') throw new Error(`The undamaged ${subject.name} is refused: ${whole.fact}`)
  for (let i = 0; i < count; i++) {
    signal.throwIfAborted()
    const file = subject.files[random.integer(subject.files.length)]
    const damage = DAMAGES[i % DAMAGES.length]
    const foreign = foreignBytes(subject, file)
    refresh()
    writeFileSync(join(copy, file), mutant(readFileSync(join(subject.folder, file)), damage, foreign, random))
    const outcome = await subject.ask(prober, copy)
    findings.counts.mutants++
    findings.judge(`${subject.name}, ${damage} of ${file}`, outcome, (answer) =>
      subject.isRight(answer, whole.result),
    )
  }
  const { refused, harmless } = findings.counts
  findings.notes.push(
    `${subject.name}: ${count} mutants, ${refused - before.refused} refused, ${harmless - before.harmless} harmless (made anew, or nothing that counts was changed)`,
  )
  log(findings.notes.at(-1) as string)
}
