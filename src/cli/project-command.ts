import type { Command } from 'commander'
import type { Recommender } from '../index.js'
import {
  type AskFlags,
  addAskFlags,
  addDeviceFlags,
  addExample,
  addShellFlags,
  type EncoderFlags,
  SAMPLE_PROJECT,
  type ShellFlags,
} from './options.js'
import { runCommand, type Shell } from './shell.js'

/** What commands that work on one existing project have in common. */

/** Flags of a command that may need the encoder. */
export interface ProjectFlags extends ShellFlags, EncoderFlags {}

/** Flags of a command that asks for a ranked list. */
export interface QuestionFlags extends ProjectFlags, AskFlags {}

export function addProjectFlags(command: Command): Command {
  return addDeviceFlags(addShellFlags(command))
}

export function addQuestionFlags(command: Command): Command {
  return addDeviceFlags(addAskFlags(addShellFlags(command)))
}

/** Runs `job` on the project of --dir, which is closed afterwards. */
export function onProject<F extends ProjectFlags>(
  flags: F,
  // biome-ignore lint/suspicious/noConfusingVoidType: most jobs return nothing
  job: (project: Recommender, shell: Shell) => Promise<number | void>,
): Promise<void> {
  return runCommand(flags, async (shell) => job(await shell.open(flags), shell))
}

/** Help with commands about the sample, which come after those that make a project of it. */
export function addSampleExample(command: Command, ...lines: readonly string[]): Command {
  return addExample(command, ...SAMPLE_PROJECT, ...lines)
}
