import { type ChildProcessWithoutNullStreams, execFileSync, spawn } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout } from 'node:timers/promises'

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

/** Milliseconds without processor time after which the process is at rest: several ticks of the kernel's clock. */
const REST = 50
/** Of them so many at most: nothing waits awake as long as that. */
const RESTS = 100

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

  /**
   * Comes back once its threads sleep. They wait awake for more work for some 50 to 100 ms after an answer, which would
   * cost whoever is measured next one of the processors.
   * @throws Error if they never do
   */
  async settled(): Promise<void> {
    let used = this.processorTicks()
    for (let rest = 0; rest < RESTS; rest++) {
      await setTimeout(REST)
      const now = this.processorTicks()
      if (now === used) return
      used = now
    }
    throw new Error('PyTorch does not come to rest.')
  }

  /** Processor time of all its threads so far, by the kernel's clock (Linux, as Debian's PyTorch is). */
  private processorTicks(): number {
    const text = readFileSync(`/proc/${this.child.pid}/stat`, 'utf8')
    // The name of the program, in brackets, may hold blanks; utime and stime are the 12th and 13th field after it.
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
    return Number(fields[11]) + Number(fields[12])
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
