import { accessSync, constants, type Stats, statSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { errorCode, writeError } from '../artifact/index.js'
import { isTextrecError, TextrecError } from '../errors.js'
import { isProjectFile } from '../ingest/index.js'

/**
 * Refuses a place where nothing can or may be written, before there is anything to write: hours of work would end there,
 * and a project's own file would be lost. A device or a pipe will do, so that `/dev/stdout` does.
 * @param option the name under which the caller gave `path`, for the message
 * @throws OPTION_INVALID
 */
export function requireOutput(option: string, path: string, project: string): void {
  const refuse = (fact: string, cause?: unknown) =>
    new TextrecError('OPTION_INVALID', `${option}: ${path} ${fact}.`, 'Name a file where you may write.', {
      cause,
    })
  const absolute = resolve(path)
  let found: Stats | undefined
  try {
    found = statSync(absolute, { throwIfNoEntry: false })
    if (found?.isDirectory()) throw refuse('is a folder')
    if (isProjectFile(absolute, project)) throw refuse("is one of the project's own files")
    accessSync(found === undefined ? dirname(absolute) : absolute, constants.W_OK)
  } catch (cause) {
    throw isTextrecError(cause) ? cause : refuse(`cannot be written (${errorCode(cause)})`, cause)
  }
}

/** Writes what `requireOutput` has let pass. @throws DISK_FULL, OPTION_INVALID */
export async function writeOutput(
  option: string,
  path: string,
  text: string,
  project: string,
): Promise<void> {
  requireOutput(option, path, project)
  try {
    await writeFile(path, text)
  } catch (error) {
    throw writeError(error, path)
  }
}
