import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { runStage } from './children.js'
import type { Size, Stage, StageCall } from './stages.js'
import { type ProjectState, stateOf } from './state.js'
import { Templates } from './templates.js'

type Dtype = StageCall['dtype']

/** An undisturbed run of a stage: what every disturbed one has to come to in the end. */
export interface Reference {
  readonly state: ProjectState
  readonly seconds: number
  /** Seconds of processor time: what the stage takes however much else the machine has to do. */
  readonly processor: number
  /** The same, of a process before it begins with the stage. */
  readonly startup: number
}

/** Projects to disturb, and what they are compared with. Made once for all tests of a run, and removed at its end. */
export class Trials {
  private static readonly made = new Map<Size, Trials>()
  private readonly templates: Templates
  private readonly references = new Map<string, Promise<Reference>>()

  private constructor(
    private readonly folder: string,
    readonly size: Size,
  ) {
    this.templates = new Templates(join(folder, 'templates'), size)
  }

  /** @param size of the stages: see `SIZES` */
  static shared(size: Size): Trials {
    let trials = Trials.made.get(size)
    if (trials === undefined) {
      const folder = mkdtempSync(join(tmpdir(), 'textrec-torture-templates-'))
      process.on('exit', () => rmSync(folder, { recursive: true, force: true }))
      trials = new Trials(folder, size)
      Trials.made.set(size, trials)
    }
    return trials
  }

  /** A fresh project as `stage` finds it, in `folder`, which is made. */
  async project(stage: Stage, dtype: Dtype, folder: string): Promise<string> {
    mkdirSync(folder, { recursive: true })
    await this.templates.copy(stage, dtype, folder)
    return folder
  }

  call(stage: Stage, dtype: Dtype, folder: string, from?: number): StageCall {
    return { stage, dtype, size: this.size, folder, from, files: this.templates.files }
  }

  /** @throws if the stage fails when nothing disturbs it, or leaves something behind */
  reference(stage: Stage, dtype: Dtype): Promise<Reference> {
    const name = `${stage}-${dtype}`
    let reference = this.references.get(name)
    if (reference === undefined) {
      reference = this.calmRun(stage, dtype, join(this.folder, `calm-${name}`))
      this.references.set(name, reference)
    }
    return reference
  }

  private async calmRun(stage: Stage, dtype: Dtype, folder: string): Promise<Reference> {
    await this.project(stage, dtype, folder)
    const { finished, failed, ended, seconds, processor, startup } = await runStage(
      this.call(stage, dtype, folder),
    )
    if (!finished) throw new Error(`${stage}, undisturbed, failed: ${failed?.fact ?? ended.stderr}`)
    const state = stateOf(folder)
    if (state.faults.length > 0) throw new Error(`${stage}, undisturbed, left ${state.faults.join(', ')}.`)
    if (stage === 'train' && state.adapter === 'none') throw new Error('The training published no adapter.')
    return { state, seconds, processor, startup }
  }
}
