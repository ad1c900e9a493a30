import { readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const compiled = fileURLToPath(new URL('../dist/src/', import.meta.url))

/** What is loaded with a compiled file before a line of it runs: files below src, and packages. */
function loadedWith(entry: string): string[] {
  const found = new Set<string>()
  const follow = (path: string): void => {
    const name = relative(compiled, path)
    if (found.has(name)) return
    found.add(name)
    for (const [, from] of readFileSync(path, 'utf8').matchAll(/^(?:import|export) ?[^;(]*?'([^']+)';$/gm)) {
      if (from.startsWith('.')) follow(join(dirname(path), from))
      else found.add(from)
    }
  }
  follow(join(compiled, entry))
  return [...found].sort()
}

/** Everything that a start pays for: loading all of the library takes as long as a first answer. */
test.each([
  [
    'index.js',
    /^(families|cluster|evaluate\/baselines|project\/(tun|train|eval)|ingest\/import)|csv-parse/,
    'project/recommender.js',
  ],
  [
    'encode/worker.js',
    /^(encode\/(bert-graph|bert-weights|products|hub)|onnx\/graph)|protobufjs/,
    'encode/tokenizer.js',
  ],
  ['cli/main.js', /./, undefined],
])('%s is loaded without what it may never need', (entry, later, needed) => {
  const loaded = loadedWith(entry).filter((name) => name !== entry)
  expect(loaded.filter((name) => later.test(name))).toEqual([])
  // The list is a list: it goes all the way down.
  if (needed !== undefined) expect(loaded).toContain(needed)
})
