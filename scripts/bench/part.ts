/** What a part of the benchmark is: the words that main.ts and the parts share. */

/** One figure of a table: a measured number, a name, or nothing where it does not apply. */
export type Cell = string | number | undefined

/** Figures of one kind, side by side. The first column names the row. */
export interface BenchTable {
  readonly title: string
  readonly columns: readonly { readonly name: string; readonly unit?: string }[]
  readonly rows: readonly (readonly Cell[])[]
  /** What a reader has to know to judge the figures: inputs, settings, what is left out. */
  readonly notes: readonly string[]
  /** Drawn as curves over two of the columns, by name; without it, as bars of the first column with a unit. */
  readonly curve?: { readonly x: string; readonly y: string; readonly of: string; readonly logX?: boolean }
}

/** The most that this machine can do, measured first in every run with the run's number of threads. */
export interface Ceilings {
  /** fp32 matrix product, 10^9 operations (a multiplication and an addition are two) per second. */
  readonly fp32Gflops: number
  /** 8-bit matrix product (MatMulInteger), 10^9 operations per second. */
  readonly int8Gops: number
  /** The same from fp32 to fp32, quantization included (DynamicQuantizeMatMul), which encoding is made of. */
  readonly int8DynamicGops: number
  /** 10^9 bytes read or written per second, far outside the caches. */
  readonly memoryGBs: number
}

export interface BenchContext {
  /** Smaller sizes and fewer rounds: under a minute for each part. */
  readonly quick: boolean
  /** Threads inside one operator, for us and for what we are compared with. */
  readonly threads: number
  readonly ceilings: Ceilings
  /** The folder of the shared data sets; undefined where there is none, then the built-in sample serves. */
  readonly data: string | undefined
  /** An empty folder of the part's own, removed after the run. */
  readonly work: string
  /** Tells a person what is being done; goes to standard error. */
  log(line: string): void
  /** `--with name=value`, for what only one part knows. */
  readonly flags: { readonly [name: string]: string }
}

export interface BenchPart {
  readonly name: string
  readonly summary: string
  run(context: BenchContext): Promise<readonly BenchTable[]>
}
