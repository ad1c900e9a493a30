import { type ChildProcessWithoutNullStreams, execFileSync, spawn } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

// Debian's python3-torch belongs to Debian's Python, whatever else is on the path.
const PYTHON = '/usr/bin/python3'

/** Whether Debian's python3-torch is installed. */
export function hasTorch(): boolean {
  try {
    execFileSync(PYTHON, ['-c', 'import torch, numpy'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

/** What is handed over; whole numbers are small enough to be float32 on the way. */
export interface TorchTensor {
  readonly name: string
  readonly shape: readonly number[]
  readonly data: Float32Array | Int32Array
}

/** Training steps in PyTorch, in a process of their own that waits between rounds. */
export class TorchProcess {
  private constructor(
    private readonly child: ChildProcessWithoutNullStreams,
    private readonly lines: AsyncIterator<string>,
    /** Of the first step, from the same start and batch. */
    readonly firstLoss: number,
    readonly version: string,
    /** What computes its matrix products: OpenBLAS, or the reference BLAS, which is many times slower; '' if not told. */
    readonly products: string,
  ) {}

  /** @param script Python @param folder for tensors and `facts`, which the script reads there */
  static async start(
    script: string,
    folder: string,
    given: readonly TorchTensor[],
    facts: object,
  ): Promise<TorchProcess> {
    let offset = 0
    const tensors: { [name: string]: { shape: readonly number[]; offset: number } } = {}
    for (const { name, shape, data } of given) {
      tensors[name] = { shape, offset }
      offset += data.length
    }
    const all = new Float32Array(offset)
    for (const { name, data } of given) all.set(data, tensors[name].offset)
    mkdirSync(folder, { recursive: true })
    writeFileSync(join(folder, 'tensors.bin'), all)
    writeFileSync(join(folder, 'manifest.json'), JSON.stringify({ ...facts, tensors }))
    const child = spawn(PYTHON, ['-B', script, folder])
    child.stderr.pipe(process.stderr)
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
    const [loss, version, ...products] = (await nextLine(lines)).split(' ')
    return new TorchProcess(child, lines, Number(loss), version, products.join(' '))
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
