import { type ChildProcessWithoutNullStreams, execFileSync, spawn } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { trainingStep } from '../../src/onnx/optimizer.js'
import { initialState } from '../../src/onnx/optimizer-session.js'
import type { TrainingCase } from './train-models.js'

// Debian's python3-torch belongs to Debian's Python, whatever else is on the path.
const PYTHON = '/usr/bin/python3'
const SCRIPT = fileURLToPath(new URL('../../../scripts/bench/train-torch.py', import.meta.url))

/** Whether Debian's python3-torch is installed. */
export function hasTorch(): boolean {
  try {
    execFileSync(PYTHON, ['-c', 'import torch, numpy'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

/** The same step in PyTorch, in a process of its own that waits between rounds. */
export class TorchSteps {
  private constructor(
    private readonly child: ChildProcessWithoutNullStreams,
    private readonly lines: AsyncIterator<string>,
    /** Of the first step, from the same start and batch. */
    readonly firstLoss: number,
    readonly version: string,
    /** What computes its matrix products: OpenBLAS, or the reference BLAS, which is many times slower. */
    readonly products: string,
  ) {}

  /** @param folder empty; weights and batch are handed over there */
  static async start(one: TrainingCase, folder: string, threads: number): Promise<TorchSteps> {
    const { model, batch, twin } = one
    const { parameters, batch: specs } = trainingStep(model)
    const state = initialState(parameters, 1)
    const { constants, ...sizes } = twin
    const parts = [
      ...parameters.map(({ name, shape }) => ({ name, shape, data: state[`w:${name}`] })),
      // Whole numbers are small enough to be float32 on the way.
      ...specs.map(({ name, shape }) => ({ name, shape, data: Float32Array.from(batch[name], Number) })),
      ...Object.entries(constants).map(([name, constant]) => ({ name, ...constant })),
    ]
    let offset = 0
    const tensors: { [name: string]: { shape: readonly number[]; offset: number } } = {}
    for (const { name, shape, data } of parts) {
      tensors[name] = { shape, offset }
      offset += data.length
    }
    const all = new Float32Array(offset)
    for (const { name, data } of parts) all.set(data, tensors[name].offset)
    writeFileSync(join(folder, 'tensors.bin'), all)
    const manifest = { ...sizes, threads, parameters: parameters.map(({ name }) => name), tensors }
    writeFileSync(join(folder, 'manifest.json'), JSON.stringify(manifest))
    const child = spawn(PYTHON, [SCRIPT, folder])
    child.stderr.pipe(process.stderr)
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
    const [loss, version, ...products] = (await nextLine(lines)).split(' ')
    return new TorchSteps(child, lines, Number(loss), version, products.join(' '))
  }

  /** Takes so many steps. @returns milliseconds */
  async run(steps: number): Promise<number> {
    this.child.stdin.write(`${steps}\n`)
    return Number(await nextLine(this.lines))
  }

  async close(): Promise<void> {
    const ended = new Promise((resolve) => this.child.once('exit', resolve))
    this.child.stdin.end()
    await ended
  }
}

async function nextLine(lines: AsyncIterator<string>): Promise<string> {
  const { value, done } = await lines.next()
  if (done) throw new Error('PyTorch ended without an answer.')
  return value
}
