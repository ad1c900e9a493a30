import { readdirSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'

const root = fileURLToPath(new URL('../', import.meta.url))
const src = join(root, 'src')

const FOUNDATION = ['types', 'errors', 'options', 'dates', 'package', 'math', 'onnx', 'artifact', 'ranking']

/** Folder (or file) under src -> what it may import besides itself. Arrows point down only. */
const MAY_IMPORT: { readonly [place: string]: readonly string[] } = {
  types: [],
  errors: [],
  package: [],
  dates: [],
  options: ['errors', 'types'],
  math: ['errors', 'types', 'options'],
  onnx: ['errors', 'types', 'options', 'math'],
  ranking: ['errors', 'types', 'math'],
  artifact: ['errors', 'types', 'options', 'math'],
  sample: ['package'],
  store: FOUNDATION,
  ingest: [...FOUNDATION, 'store'],
  encode: [...FOUNDATION, 'store'],
  profile: FOUNDATION,
  'vector-index': FOUNDATION,
  collaborative: [...FOUNDATION, 'store'],
  cluster: FOUNDATION,
  adapter: [...FOUNDATION, 'store', 'profile'],
  recommend: [
    ...FOUNDATION,
    'store',
    'ingest',
    'encode',
    'profile',
    'adapter',
    'collaborative',
    'vector-index',
  ],
  evaluate: FOUNDATION,
  families: [...FOUNDATION, 'adapter'],
  project: [
    ...FOUNDATION,
    'sample',
    'store',
    'ingest',
    'encode',
    'profile',
    'adapter',
    'collaborative',
    'vector-index',
    'cluster',
    'recommend',
    'evaluate',
    'families',
  ],
  index: [...FOUNDATION, 'sample', 'store', 'ingest', 'evaluate', 'project'],
  cli: ['index'],
}

/** Native packages and the one place that may load each. */
const HOME: { readonly [name: string]: string } = {
  'better-sqlite3': 'store',
  'hnswlib-node': 'vector-index',
  'onnxruntime-node': 'onnx',
}

interface Import {
  readonly file: string
  readonly from: string
}

function sourceFiles(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) return sourceFiles(path)
    return entry.name.endsWith('.ts') ? [path] : []
  })
}

function importsOf(path: string): Import[] {
  const text = readFileSync(path, 'utf8')
  const pattern = /(?:from|import|require\()\s*\(?\s*'([^']+)'/g
  return [...text.matchAll(pattern)].map((match) => ({ file: relative(root, path), from: match[1] }))
}

/** 'src/store/schema.ts' -> 'store', 'src/types.ts' -> 'types'. */
function placeOf(file: string): string {
  return file.split('/')[1].replace(/\.ts$/, '')
}

function targetPlace({ file, from }: Import): string | undefined {
  if (!from.startsWith('.')) return undefined
  return placeOf(relative(root, join(root, file, '..', from)).replace(/\.js$/, '.ts'))
}

const files = sourceFiles(src)
const imports = files.flatMap(importsOf)

describe('the picture of src', () => {
  test('every place in src has its line in the table', () => {
    const places = [...new Set(files.map((file) => placeOf(relative(root, file))))].sort()
    expect(places.filter((place) => !(place in MAY_IMPORT))).toEqual([])
  })

  test('imports point down the table only', () => {
    const wrong = imports.filter((one) => {
      const to = targetPlace(one)
      const from = placeOf(one.file)
      return to !== undefined && to !== from && !MAY_IMPORT[from]?.includes(to)
    })
    expect(wrong).toEqual([])
  })

  test('each native package is loaded in one place', () => {
    const wrong = imports.filter(({ file, from }) => {
      const home = HOME[from]
      return home !== undefined && placeOf(file) !== home
    })
    expect(wrong).toEqual([])
  })

  test('the indexing script uses the public API only', () => {
    const files = ['scripts/index.ts', 'scripts/progress-lines.ts'].map((file) => join(root, file))
    const allowed = ['textrec', 'commander', './progress-lines.js']
    const wrong = files
      .flatMap(importsOf)
      .filter(({ from }) => !from.startsWith('node:') && !allowed.includes(from))
    expect(wrong).toEqual([])
  })
})
