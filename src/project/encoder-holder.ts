import { type Encoder, openEncoder } from '../encode/index.js'
import type { LongRun, OpenOptions } from './defaults.js'

type EncoderOptions = Pick<OpenOptions, 'device' | 'dtype' | 'threads' | 'cacheDirectory'>

/** Opens an encoder on first need and keeps one: loading takes longer than most questions. */
export class EncoderHolder {
  private held:
    | { readonly name: string; readonly dtype: OpenOptions['dtype']; readonly encoder: Promise<Encoder> }
    | undefined

  constructor(private readonly options: EncoderOptions) {}

  /** Whether there is one, open or being opened. */
  get isHeld(): boolean {
    return this.held !== undefined
  }

  /** The encoder called `name`; a failed opening is forgotten, so that the next call may succeed. */
  async get(
    name: string,
    dtype: OpenOptions['dtype'] = this.options.dtype,
    { signal, onProgress }: LongRun = {},
  ): Promise<Encoder> {
    if (this.held?.name !== name || this.held.dtype !== dtype) {
      // Held before anything is awaited: whoever asks meanwhile gets the same one.
      const encoder = this.close().then(() =>
        openEncoder(name, { ...this.options, dtype, signal, onProgress }),
      )
      this.held = { name, dtype, encoder }
      encoder.catch(() => {
        if (this.held?.encoder === encoder) this.held = undefined
      })
    }
    return this.held.encoder
  }

  async close(): Promise<void> {
    const held = this.held
    this.held = undefined
    if (held !== undefined) await held.encoder.then((encoder) => encoder.close()).catch(() => undefined)
  }
}
