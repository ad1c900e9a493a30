import { createRequire } from 'node:module'
import type * as Ort from 'onnxruntime-node'
import { TextrecError } from '../errors.js'
import type { Device } from '../types.js'
import { disableTelemetry } from './no-telemetry.js'

export type Tensor = Ort.Tensor
export type Feeds = Ort.InferenceSession.FeedsType
export type Fetches = Ort.InferenceSession.FetchesType
export type Results = Ort.InferenceSession.ReturnType

export interface SessionOptions {
  readonly device?: Device
  /** Threads inside one operator; 0 lets ONNX Runtime choose. CPU only. */
  readonly threads?: number
  /**
   * Microseconds that a thread without work waits awake for the next kernel; 0, the default, puts it to sleep at once.
   * Threads that wait awake as long as ONNX Runtime's own default lets them (some 50 ms) cost half as much processor
   * time again, and all of it is lost to whoever else shares the machine: 26 texts/s against 20 beside eight busy
   * processes on two cores. A tenth of a millisecond covers the gaps between the kernels of one run and no more.
   */
  readonly spinMicroseconds?: number
  /** 'basic' keeps ONNX Runtime from fusing a graph that is already laid out well. */
  readonly optimization?: 'disabled' | 'basic' | 'extended' | 'all'
  /** Where outputs stay, by name: keeps training state on the device. */
  readonly outputLocations?: { readonly [name: string]: 'cpu' | 'gpu-buffer' }
}

let runtime: typeof Ort | undefined

/** ONNX Runtime, loaded on first use: it costs start-up time that `textrec --help` must not pay. */
export function onnxRuntime(): typeof Ort {
  if (runtime === undefined) {
    disableTelemetry()
    try {
      runtime = createRequire(import.meta.url)('onnxruntime-node') as typeof Ort
    } catch (cause) {
      throw new TextrecError(
        'DEPENDENCY_MISSING',
        'onnxruntime-node could not be loaded.',
        'Install textrec again with ONNXRUNTIME_NODE_INSTALL=skip, on a platform that onnxruntime-node supports.',
        { cause },
      )
    }
    // Failures are thrown with its words; its warnings on standard error tell nobody anything.
    runtime.env.logLevel = 'error'
  }
  return runtime
}

/** A tensor over `data` (not copied). */
export function tensor(
  type: 'float32' | 'float64' | 'int8' | 'uint8' | 'int32' | 'int64',
  data: Float32Array | Float64Array | Int8Array | Uint8Array | Int32Array | BigInt64Array,
  dims: readonly number[],
): Tensor {
  const { Tensor } = onnxRuntime()
  return new Tensor(type as 'float32', data as Float32Array, dims) as Tensor
}

/**
 * A model ready to run in this thread. `run` blocks the thread while it computes, so long work belongs in a
 * worker; never end a worker or the process while one is running (ONNX Runtime aborts).
 */
export class Session {
  private constructor(private readonly session: Ort.InferenceSession) {}

  /**
   * @param model the bytes of a model, or the path of an ONNX file (which finds its external data beside it).
   * @throws RUNTIME_FAILED with ONNX Runtime's own words as the cause.
   */
  static async create(model: Uint8Array | string, options: SessionOptions = {}): Promise<Session> {
    const { InferenceSession } = onnxRuntime()
    const device = options.device ?? 'cpu'
    try {
      // Two overloads, one per type of model: the cast chooses one for both.
      const session = await InferenceSession.create(model as string, {
        executionProviders: [device],
        graphOptimizationLevel: options.optimization ?? 'all',
        intraOpNumThreads: options.threads ?? 0,
        interOpNumThreads: 1,
        logSeverityLevel: 3,
        extra: { session: { intra_op: spinning(options.spinMicroseconds ?? 0) } },
        ...(options.outputLocations === undefined
          ? {}
          : { preferredOutputLocation: options.outputLocations }),
      })
      return new Session(session)
    } catch (cause) {
      throw new TextrecError(
        'RUNTIME_FAILED',
        `ONNX Runtime refused a model on device '${device}': ${firstLine(cause)}`,
        "Try device 'cpu'; if that fails too, the model is damaged.",
        { cause },
      )
    }
  }

  get inputNames(): readonly string[] {
    return this.session.inputNames
  }

  get outputNames(): readonly string[] {
    return this.session.outputNames
  }

  /** @param fetches tensors to write outputs into, or names; all outputs when absent. */
  async run(feeds: Feeds, fetches?: Fetches): Promise<Results> {
    try {
      return fetches === undefined ? await this.session.run(feeds) : await this.session.run(feeds, fetches)
    } catch (cause) {
      throw new TextrecError(
        'RUNTIME_FAILED',
        `ONNX Runtime failed: ${firstLine(cause)}`,
        'Check shapes and memory; the cause has the details.',
        { cause },
      )
    }
  }

  async close(): Promise<void> {
    await this.session.release()
  }
}

/** In ONNX Runtime's words. */
function spinning(microseconds: number): { readonly [key: string]: string } {
  return microseconds > 0
    ? { allow_spinning: '1', spin_duration_us: String(microseconds) }
    : { allow_spinning: '0' }
}

function firstLine(cause: unknown): string {
  return String(cause instanceof Error ? cause.message : cause).split('\n')[0]
}
