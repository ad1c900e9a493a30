import protobuf from 'protobufjs/minimal.js'
import { TextrecError } from '../errors.js'
import type { Attribute, Constant, Dim, ElementType, Graph, Node, Value } from './graph.js'

// Field numbers and enum values are those of onnx.proto3 (https://github.com/onnx/onnx, IR version 9).
const IR_VERSION = 9
const OPSET_VERSION = 20
const MICROSOFT_OPSET_VERSION = 1
/** A protobuf message cannot be larger than this; bigger weights would need external data. */
const MAX_MODEL_BYTES = 2 ** 31 - 1

const ELEMENT_TYPE: { readonly [type in ElementType]: number } = {
  float32: 1,
  uint8: 2,
  int8: 3,
  int32: 6,
  int64: 7,
  bool: 9,
  float16: 10,
  float64: 11,
}
const ATTRIBUTE_TYPE = { float: 1, int: 2, string: 3, tensor: 4, floats: 6, ints: 7 } as const

type Writer = protobuf.Writer

const tag = (field: number, wireType: 0 | 2 | 5) => (field << 3) | wireType

export interface SerializeOptions {
  /**
   * Nodes write the outputs of the graph themselves. Otherwise each output is a copy under its own name, which the
   * runtime only leaves out where nothing else in the graph reads the value.
   */
  readonly ownOutputs?: boolean
}

/**
 * The ONNX model of a finished graph, ready for an inference session.
 * @throws MODEL_INVALID if it would pass protobuf's limit of 2 GiB.
 */
export function serializeModel(graph: Graph, { ownOutputs = false }: SerializeOptions = {}): Uint8Array {
  const size = graph.constants.reduce((sum, constant) => sum + constant.data.byteLength, 0)
  if (size > MAX_MODEL_BYTES - 2 ** 24) {
    throw new TextrecError(
      'MODEL_INVALID',
      `The model needs ${size} bytes of weights.`,
      'The limit is 2 GiB.',
    )
  }
  const model = protobuf.Writer.create()
  model.uint32(tag(1, 0)).int64(IR_VERSION)
  model.uint32(tag(2, 2)).string('textrec')
  writeGraph(model.uint32(tag(7, 2)).fork(), graph, ownOutputs ? outputNames(graph) : new Map()).ldelim()
  model.uint32(tag(8, 2)).fork().uint32(tag(1, 2)).string('').uint32(tag(2, 0)).int64(OPSET_VERSION).ldelim()
  model
    .uint32(tag(8, 2))
    .fork()
    .uint32(tag(1, 2))
    .string('com.microsoft')
    .uint32(tag(2, 0))
    .int64(MICROSOFT_OPSET_VERSION)
    .ldelim()
  return model.finish()
}

/** Values that go by the name of an output: the first one of each value that a node makes. */
type Renamed = ReadonlyMap<Value, string>

function outputNames({ nodes, outputs }: Graph): Renamed {
  const made = new Set(nodes.flatMap((node) => node.outputs))
  const names = new Map<Value, string>()
  for (const { name, value } of outputs) if (made.has(value) && !names.has(value)) names.set(value, name)
  return names
}

function writeGraph(writer: Writer, graph: Graph, renamed: Renamed): Writer {
  for (const node of graph.nodes) writeNode(writer.uint32(tag(1, 2)).fork(), node, renamed).ldelim()
  // An output needs a name of its own: an Identity gives it one, so that a value may have several.
  for (const { name, value } of graph.outputs) {
    const identity: Node = {
      name: `output:${name}`,
      op: 'Identity',
      domain: '',
      inputs: [value],
      outputs: [{ name, type: value.type, shape: value.shape }],
      attributes: {},
    }
    if (name === (renamed.get(value) ?? value.name)) continue
    writeNode(writer.uint32(tag(1, 2)).fork(), identity, renamed).ldelim()
  }
  writer.uint32(tag(2, 2)).string(graph.name)
  for (const constant of graph.constants) writeTensor(writer.uint32(tag(5, 2)).fork(), constant).ldelim()
  for (const input of graph.inputs) writeValueInfo(writer.uint32(tag(11, 2)).fork(), input).ldelim()
  for (const { name, value } of graph.outputs) {
    writeValueInfo(writer.uint32(tag(12, 2)).fork(), { name, type: value.type, shape: value.shape }).ldelim()
  }
  return writer
}

function writeNode(writer: Writer, node: Node, renamed: Renamed): Writer {
  const nameOf = (value: Value) => renamed.get(value) ?? value.name
  for (const input of node.inputs) writer.uint32(tag(1, 2)).string(input === undefined ? '' : nameOf(input))
  for (const output of node.outputs) writer.uint32(tag(2, 2)).string(nameOf(output))
  writer.uint32(tag(3, 2)).string(node.name)
  writer.uint32(tag(4, 2)).string(node.op)
  for (const [name, attribute] of Object.entries(node.attributes)) {
    writeAttribute(writer.uint32(tag(5, 2)).fork(), name, attribute).ldelim()
  }
  if (node.domain !== '') writer.uint32(tag(7, 2)).string(node.domain)
  return writer
}

function writeAttribute(writer: Writer, name: string, attribute: Attribute): Writer {
  writer.uint32(tag(1, 2)).string(name)
  const type = (kind: keyof typeof ATTRIBUTE_TYPE) => writer.uint32(tag(20, 0)).int32(ATTRIBUTE_TYPE[kind])
  if (typeof attribute === 'number') {
    writer.uint32(tag(3, 0)).int64(attribute)
    return type('int')
  }
  if (typeof attribute === 'string') {
    writer.uint32(tag(4, 2)).bytes(new TextEncoder().encode(attribute))
    return type('string')
  }
  if ('float' in attribute) {
    writer.uint32(tag(2, 5)).float(attribute.float)
    return type('float')
  }
  if ('tensor' in attribute) {
    writeTensor(writer.uint32(tag(5, 2)).fork(), attribute.tensor).ldelim()
    return type('tensor')
  }
  for (const value of attribute) writer.uint32(tag(8, 0)).int64(value)
  return type('ints')
}

function writeTensor(writer: Writer, constant: Constant): Writer {
  for (const dim of constant.shape) writer.uint32(tag(1, 0)).int64(dim)
  writer.uint32(tag(2, 0)).int32(ELEMENT_TYPE[constant.type])
  writer.uint32(tag(8, 2)).string(constant.name)
  const { buffer, byteOffset, byteLength } = constant.data
  return writer.uint32(tag(9, 2)).bytes(new Uint8Array(buffer as ArrayBuffer, byteOffset, byteLength))
}

function writeValueInfo(writer: Writer, value: Value): Writer {
  writer.uint32(tag(1, 2)).string(value.name)
  const tensorType = writer.uint32(tag(2, 2)).fork().uint32(tag(1, 2)).fork()
  tensorType.uint32(tag(1, 0)).int32(ELEMENT_TYPE[value.type])
  if (value.shape !== undefined) {
    const shape = tensorType.uint32(tag(2, 2)).fork()
    for (const dim of value.shape) writeDim(shape.uint32(tag(1, 2)).fork(), dim).ldelim()
    shape.ldelim()
  }
  tensorType.ldelim().ldelim()
  return writer
}

function writeDim(writer: Writer, dim: Dim): Writer {
  return typeof dim === 'number' ? writer.uint32(tag(1, 0)).int64(dim) : writer.uint32(tag(2, 2)).string(dim)
}
