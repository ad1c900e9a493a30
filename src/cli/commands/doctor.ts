import type { Command } from 'commander'
import type { Check } from '../../index.js'
import { EXIT } from '../failure.js'
import { addShellFlags, type ShellFlags } from '../options.js'
import { addSampleExample, onProject } from '../project-command.js'
import { oneLine } from '../text.js'

interface DoctorFlags extends ShellFlags {
  readonly repair?: boolean
}

/** `textrec doctor`: doctor(), as a list of checks; a project that is not sound is a failure. */
export function define(command: Command): void {
  command.description(
    'Check a project: database, index, vectors, leftovers of killed runs. Exit code 1 if something is wrong.',
  )
  addShellFlags(command)
    .option('--repair', 'rebuild what can be rebuilt and remove leftovers')
    .action((flags: DoctorFlags) =>
      onProject(flags, async (project, shell) => {
        const { repair } = flags
        const report = await project.doctor({ repair, ...shell.long })
        shell.print(report, () => report.checks.map(checkLine).join('\n'))
        return report.healthy ? EXIT.done : EXIT.failed
      }),
    )
  addSampleExample(command, 'textrec doctor --dir books.textrec')
}

/** "✓ index: 152 vectors, sound" or "✗ ...", with the remedy where there is one. */
function checkLine({ name, ok, fact, remedy, repaired }: Check): string {
  const done = repaired ? ' Repaired.' : ''
  return oneLine(`${ok ? '✓' : '✗'} ${name}: ${fact}${done} ${ok ? '' : (remedy ?? '')}`)
}
