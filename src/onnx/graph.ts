import { TextrecError } from '../errors.js'
import type { Ops } from './ops.js'

/** Element types that our graphs use, in ONNX's names. */
export type ElementType = 'float32' | 'float64' | 'float16' | 'int8' | 'uint8' | 'int32' | 'int64' | 'bool'

/** One dimension: a size, or a name for a size that is known when the graph runs. */
export type Dim = number | string

/** An attribute of a node. A JavaScript number becomes a float only if it is wrapped: `{ float: 1 }`. */
export type Attribute =
  | number
  | string
  | readonly number[]
  | { readonly float: number }
  | { readonly tensor: Constant }
export type Attributes = { readonly [name: string]: Attribute }

export type ConstantData =
  | Float32Array
  | Float64Array
  | Uint16Array
  | Int8Array
  | Uint8Array
  | Int32Array
  | BigInt64Array

/** A value that flows through one graph: an input, a constant or a node's output. */
export interface Value {
  readonly name: string
  readonly type: ElementType
  /** Known dimensions, or undefined where nobody worked them out. */
  readonly shape: readonly Dim[] | undefined
}

/** A value stored inside the model. `data` is referenced, not copied. */
export interface Constant extends Value {
  readonly shape: readonly number[]
  readonly data: ConstantData
}

export interface Node {
  readonly name: string
  readonly op: string
  /** '' for standard operators, 'com.microsoft' for ONNX Runtime's own. */
  readonly domain: string
  /** undefined stands for an optional input that is left out. */
  readonly inputs: readonly (Value | undefined)[]
  readonly outputs: readonly Value[]
  readonly attributes: Attributes
}

export interface NodeOptions {
  readonly attributes?: Attributes
  readonly domain?: '' | 'com.microsoft'
  /** Element type of the outputs; that of the first input by default. */
  readonly type?: ElementType
  /** Shape of the first output, where it is known. */
  readonly shape?: readonly Dim[]
}

/**
 * A derivative given by hand: how the gradient of one value becomes gradients of `inputs` (undefined: none).
 * It stands in for the rules of all the nodes between them (JAX calls it custom_vjp).
 */
export interface Derivative {
  readonly inputs: readonly Value[]
  readonly backward: (ops: Ops, gradient: Value) => readonly (Value | undefined)[]
}

/**
 * A model under construction. Nodes are added in the order in which they run; a value belongs to the graph
 * that made it. `serializeModel` (protobuf.ts) turns a finished graph into ONNX bytes.
 */
export class Graph {
  readonly inputs: Value[] = []
  readonly outputs: { readonly name: string; readonly value: Value }[] = []
  readonly constants: Constant[] = []
  readonly nodes: Node[] = []
  /** Derivatives that gradient.ts must use in place of its rules, by the value they belong to. */
  readonly derivatives = new Map<Value, Derivative>()
  private readonly names = new Set<string>()
  private readonly counters = new Map<string, number>()

  constructor(readonly name: string) {}

  /** A tensor that the caller feeds. */
  input(name: string, type: ElementType, shape: readonly Dim[]): Value {
    const value = { name: this.claim(name), type, shape }
    this.inputs.push(value)
    return value
  }

  /** A tensor stored in the model. @throws DIMENSION_MISMATCH if data and shape disagree. */
  constant(name: string, data: ConstantData, shape: readonly number[], type?: ElementType): Constant {
    const size = shape.reduce((product, dim) => product * dim, 1)
    if (size !== data.length) {
      throw new TextrecError(
        'DIMENSION_MISMATCH',
        `Constant '${name}' has ${data.length} numbers for shape [${shape.join(', ')}].`,
        'Data and shape must agree.',
      )
    }
    const value = { name: this.unique(name), type: type ?? elementTypeOf(data), shape, data }
    this.constants.push(value)
    return value
  }

  /** A float32 scalar. */
  scalar(value: number, name = 'scalar'): Constant {
    return this.constant(name, Float32Array.of(value), [])
  }

  /** A 1-d int64 tensor, as shapes, axes and slice bounds want it. */
  int64(values: readonly number[], name = 'int64'): Constant {
    return this.constant(name, BigInt64Array.from(values, BigInt), [values.length])
  }

  /** Adds a node with one output and returns that output. */
  node(op: string, inputs: readonly (Value | undefined)[], options: NodeOptions = {}): Value {
    return this.addNode(op, inputs, 1, options)[0]
  }

  /** Adds a node with several outputs; `options.shape` describes the first one. */
  multi(
    op: string,
    inputs: readonly (Value | undefined)[],
    outputCount: number,
    options: NodeOptions = {},
  ): readonly Value[] {
    return this.addNode(op, inputs, outputCount, options)
  }

  /** Makes `value` readable under `name`. The same value may have several names. */
  output(name: string, value: Value): void {
    if (this.outputs.some((output) => output.name === name)) this.claim(name)
    this.outputs.push({ name, value })
  }

  private addNode(
    op: string,
    inputs: readonly (Value | undefined)[],
    outputCount: number,
    options: NodeOptions,
  ): readonly Value[] {
    const type = options.type ?? inputs.find((input) => input !== undefined)?.type
    if (type === undefined) {
      throw new TextrecError('INTERNAL', `Node ${op} has no inputs and no type.`, 'Give options.type.')
    }
    const name = this.unique(op)
    const outputs = Array.from({ length: outputCount }, (_, i) => ({
      name: this.unique(`${op}_out`),
      type,
      shape: i === 0 ? options.shape : undefined,
    }))
    this.nodes.push({
      name,
      op,
      domain: options.domain ?? '',
      inputs,
      outputs,
      attributes: options.attributes ?? {},
    })
    return outputs
  }

  /** ONNX Runtime refuses two nodes or two values of one name. */
  private unique(stem: string): string {
    let name = stem
    while (this.names.has(name)) {
      const count = (this.counters.get(stem) ?? 0) + 1
      this.counters.set(stem, count)
      name = `${stem}_${count}`
    }
    this.names.add(name)
    return name
  }

  private claim(name: string): string {
    if (this.names.has(name)) {
      throw new TextrecError('INTERNAL', `The graph has two values named '${name}'.`, 'Name each one apart.')
    }
    this.names.add(name)
    return name
  }
}

function elementTypeOf(data: ConstantData): ElementType {
  if (data instanceof Float32Array) return 'float32'
  if (data instanceof Float64Array) return 'float64'
  if (data instanceof Uint16Array) return 'float16'
  if (data instanceof Int8Array) return 'int8'
  if (data instanceof Uint8Array) return 'uint8'
  if (data instanceof Int32Array) return 'int32'
  return 'int64'
}
