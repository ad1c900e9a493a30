import type { OnProgress, OpenOptions, Recommender } from '../index.js'
import { EXIT } from './failure.js'
import { catchInterrupts } from './interrupt.js'
import type { EncoderFlags, ShellFlags } from './options.js'
import { openProgress } from './progress.js'
import { oneLine } from './text.js'

/** The public API, loaded when a command runs. */
export type Library = typeof import('../index.js')

/** What every command works with; nothing of it outlives the command. */
export interface Shell {
  readonly library: Library
  /** For every long call. */
  readonly long: { readonly signal: AbortSignal; readonly onProgress: OnProgress | undefined }
  /** Opens the project of --dir; it is closed when the command ends. */
  open(flags?: EncoderFlags, options?: { readonly create?: boolean }): Promise<Recommender>
  /** Tells people something by the way, on standard error; silent with --quiet. */
  note(text: string): void
  /** A remark that ends what people read on standard output, apart from it; nothing with --quiet. */
  remark(text: string): string
  /** The command's result: one JSON document with --json, else what `forPeople` returns. */
  print(document: unknown, forPeople: () => string): void
}

/**
 * Runs one command: interrupts, progress, the open project and standard output are taken care of.
 * Errors leave through the returned promise, after everything is closed.
 * @param job may return an exit code other than 0
 */
export async function runCommand(
  flags: ShellFlags,
  // biome-ignore lint/suspicious/noConfusingVoidType: most jobs return nothing
  job: (shell: Shell) => Promise<number | void>,
): Promise<void> {
  const quiet = flags.quiet === true
  const note = (text: string): void => {
    if (!quiet) process.stderr.write(`${oneLine(text)}\n`)
  }
  const interrupt = catchInterrupts(note)
  const display = quiet ? undefined : await openProgress()
  const opened: Recommender[] = []
  try {
    const library = await import('../index.js')
    const code = await job({
      library,
      long: { signal: interrupt.signal, onProgress: display && ((progress) => display.report(progress)) },
      open: async (encoderFlags, { create = false } = {}) => {
        const project = await library.Recommender.open(flags.dir, { ...openOptions(encoderFlags), create })
        opened.push(project)
        return project
      },
      note,
      remark: (text) => (quiet ? '' : `\n\n${text}`),
      print: (document, forPeople) => {
        display?.stop()
        const text = flags.json ? JSON.stringify(document) : forPeople()
        process.stdout.write(`${text}\n`)
      },
    })
    if (code !== undefined) process.exitCode = code
  } finally {
    display?.stop()
    for (const project of opened) await project.close()
    interrupt.release()
    // Asked to stop, and done before it could: whoever asked still wants the next command not to run.
    if (interrupt.signal.aborted) process.exitCode = EXIT.interrupted
  }
}

function openOptions(flags: EncoderFlags = {}): Partial<OpenOptions> {
  const { encoder, device, dtype, threads, cacheDir } = flags
  return { encoder, device, dtype, threads, cacheDirectory: cacheDir }
}
