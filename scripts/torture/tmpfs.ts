import { spawnSync } from 'node:child_process'
import { mkdirSync, rmdirSync } from 'node:fs'
import { join } from 'node:path'

function command(program: string, ...args: string[]): string {
  const { status, stdout, stderr, error } = spawnSync(program, args, { encoding: 'utf8' })
  if (status !== 0) throw new Error(`'${program} ${args.join(' ')}' failed: ${error?.message ?? stderr}`)
  return stdout
}

/** Why no file system can be mounted below `work`; undefined where one can. */
export function refusalToMount(work: string): string | undefined {
  const folder = join(work, 'tried')
  mkdirSync(folder)
  try {
    mount(folder, 64)
    unmount(folder)
    return undefined
  } catch (error) {
    return (error as Error).message.trim()
  } finally {
    rmdirSync(folder)
  }
}

export const bytesIn = (folder: string): number => Number(command('du', '-sb', folder).split('\t')[0])
/** A file system in memory, of so many KiB. */
export const mount = (folder: string, kib: number) =>
  command('mount', '-t', 'tmpfs', '-o', `size=${kib}k`, 'tmpfs', folder)
export const resize = (folder: string, kib: number) => command('mount', '-o', `remount,size=${kib}k`, folder)
export const unmount = (folder: string) => command('umount', '-l', folder)
