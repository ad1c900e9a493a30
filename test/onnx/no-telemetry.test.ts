import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'

const session = new URL('../../dist/src/onnx/session.js', import.meta.url).href
const graph = new URL('../../dist/src/onnx/graph.js', import.meta.url).href
const protobuf = new URL('../../dist/src/onnx/protobuf.js', import.meta.url).href

/** Runs one session of ONNX Runtime to its end. */
const SCRIPT = `
  const { Session } = await import(${JSON.stringify(session)})
  const { Graph } = await import(${JSON.stringify(graph)})
  const { serializeModel } = await import(${JSON.stringify(protobuf)})
  const g = new Graph('negative')
  g.output('y', g.node('Neg', [g.input('x', 'float32', ['n'])], { shape: ['n'] }))
  await (await Session.create(serializeModel(g))).close()
`

function filesLeftAtHome(environment: NodeJS.ProcessEnv): string[] {
  const home = mkdtempSync(join(tmpdir(), 'textrec-home-'))
  try {
    // Nothing else of the environment: ONNX Runtime keeps quiet by itself where CI is set.
    const child = spawnSync(process.execPath, ['--input-type=module', '-e', SCRIPT], {
      env: { PATH: process.env.PATH, HOME: home, ...environment },
      encoding: 'utf8',
    })
    expect(child.stderr).toBe('')
    expect(child.status).toBe(0)
    return readdirSync(home, { recursive: true }).map(String)
  } finally {
    rmSync(home, { recursive: true, force: true })
  }
}

test('ONNX Runtime neither numbers the machine nor reports its use', () => {
  expect(filesLeftAtHome({})).toEqual([])
})

test.skipIf(process.platform !== 'linux')('it would, and whoever wants it to can say so', () => {
  expect(filesLeftAtHome({ ORT_DISABLE_TELEMETRY: '0' }).some((name) => name.endsWith('deviceid'))).toBe(true)
})
