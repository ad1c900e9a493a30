import { chmodSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { ended, MAIN, start, temporaryFolder, textrec } from './textrec.js'

const folder = temporaryFolder()

/** The lines of the example in a help text. */
function exampleOf(help: string): string[] {
  const after = help.split('Example (runs as it stands):\n')[1]
  if (after === undefined) throw new Error(`no example in:\n${help}`)
  return after
    .split('\n\n')[0]
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')
}

test('the example of every help text runs as it stands', async () => {
  const { stdout } = await textrec(['--help'])
  const commands = [...stdout.matchAll(/^ {2}([a-z]+) {2,}\S/gm)]
    .map((match) => match[1])
    .filter((name) => name !== 'help')
  expect(commands).toContain('search')
  // A person's PATH has `textrec` in it; this folder stands in for that.
  const bin = join(folder, 'bin')
  mkdirSync(bin)
  const wrapper = join(bin, 'textrec')
  writeFileSync(wrapper, `#!/bin/sh\nexec "${process.execPath}" "${MAIN}" "$@"\n`)
  chmodSync(wrapper, 0o755)
  const empty = join(folder, 'empty')
  mkdirSync(empty)
  // One folder for all: lines that several examples share (import and index of the sample) run once.
  const ran = new Set<string>()
  for (const command of commands) {
    const lines = exampleOf((await textrec([command, '--help'])).stdout)
    // Each stands alone: it makes its project itself.
    expect(lines[0]).toMatch(/^textrec (demo|import --dir books\.textrec --sample)/)
    expect(lines.some((line) => line.includes(`textrec ${command} `))).toBe(true)
    for (const line of lines) {
      if (ran.has(line)) continue
      ran.add(line)
      const env = { PATH: `${bin}:${process.env.PATH}` }
      const { code, stdout, stderr } = await ended(start('sh', ['-c', line], { cwd: empty, env }))
      expect({ line, code, stderr: code === 0 ? '' : stderr }).toEqual({ line, code: 0, stderr: '' })
      expect(stdout).not.toBe('')
      if (command === 'demo') {
        expect(stdout).toContain('Why it is good')
        expect(stdout).not.toMatch(/NaN|undefined|Infinity/)
      }
    }
  }
  expect(readdirSync(empty).sort()).toEqual(['books-copy.textrec', 'books.textrec'])
}, 300_000)
