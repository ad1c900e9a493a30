import { realpath } from 'node:fs/promises'
import { dirname, isAbsolute, join, relative, sep } from 'node:path'
import protobuf from 'protobufjs/minimal.js'
import { TextrecError } from '../errors.js'

/** Field numbers of onnx.proto3 that lead to tensors, per message. Everything else is skipped unread. */
const CHILDREN: { readonly [message: string]: { readonly [field: number]: string } } = {
  model: { 7: 'graph', 20: 'training', 25: 'function' },
  training: { 1: 'graph', 2: 'graph' },
  function: { 7: 'node', 11: 'attribute' },
  graph: { 1: 'node', 5: 'tensor', 15: 'sparse' },
  sparse: { 1: 'tensor', 2: 'tensor' },
  node: { 5: 'attribute' },
  attribute: { 5: 'tensor', 6: 'graph', 10: 'tensor', 11: 'graph', 22: 'sparse', 23: 'sparse' },
  tensor: { 13: 'entry' },
}
const MAX_DEPTH = 32

/**
 * The files beside an ONNX file that hold its weights, as absolute paths.
 * @throws MODEL_INVALID if one lies outside the folder (by name or by link), because ONNX Runtime would read
 *   whatever the model names; or if the bytes are no protobuf message.
 */
export async function externalFiles(model: Uint8Array, path: string): Promise<string[]> {
  const invalid = (fact: string, cause?: unknown) =>
    new TextrecError('MODEL_INVALID', `${path} ${fact}.`, 'Use a model from a source that you trust.', {
      cause,
    })
  const locations = new Set<string>()
  try {
    collect(protobuf.Reader.create(model), model.length, 'model', locations, 0)
  } catch (cause) {
    throw invalid('is not an ONNX file', cause)
  }
  if (locations.size === 0) return []
  const folder = await realpath(dirname(path))
  const found: string[] = []
  for (const location of locations) {
    const shown = JSON.stringify(location.slice(0, 80))
    if (location.includes('\0') || isAbsolute(location)) throw invalid(`names external data ${shown}`)
    let real: string
    try {
      real = await realpath(join(folder, location))
    } catch (cause) {
      throw invalid(`names external data ${shown}, which is missing`, cause)
    }
    const inside = relative(folder, real)
    if (inside === '' || inside === '..' || inside.startsWith(`..${sep}`) || isAbsolute(inside)) {
      throw invalid(`names external data ${shown}, outside its folder`)
    }
    found.push(real)
  }
  return found
}

function collect(
  reader: protobuf.Reader,
  end: number,
  message: string,
  locations: Set<string>,
  depth: number,
): void {
  if (depth > MAX_DEPTH) throw new Error('graphs nested too deeply')
  if (end > reader.len) throw new Error('a message reaches beyond the file')
  let key: string | undefined
  let value: string | undefined
  while (reader.pos < end) {
    const tag = reader.uint32()
    const field = tag >>> 3
    const child = CHILDREN[message]?.[field]
    if (child !== undefined && (tag & 7) === 2) {
      const length = reader.uint32()
      collect(reader, reader.pos + length, child, locations, depth + 1)
    } else if (message === 'entry' && (tag & 7) === 2 && field === 1) {
      key = reader.string()
    } else if (message === 'entry' && (tag & 7) === 2 && field === 2) {
      value = reader.string()
    } else {
      reader.skipType(tag & 7)
    }
  }
  if (reader.pos !== end) throw new Error('a field reaches beyond its message')
  if (key === 'location' && value !== undefined) locations.add(value)
}
