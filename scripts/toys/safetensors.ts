/** A tensor as test models are made of. */
export interface TensorSpec {
  readonly shape: readonly number[]
  readonly data: Float32Array
}

/** The bytes of a safetensors file with any header before any data. @param claimed what it says the header's length is */
export function withHeader(
  header: string | object,
  data: Uint8Array = new Uint8Array(0),
  claimed?: bigint,
): Buffer {
  const text = Buffer.from(typeof header === 'string' ? header : JSON.stringify(header))
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(claimed ?? BigInt(text.length))
  return Buffer.concat([length, text, data])
}

/** A safetensors file of 32-bit floats: length of the header, header, tensors one after the other. */
export function safetensorsBytes(tensors: ReadonlyMap<string, TensorSpec>): Buffer {
  const header: Record<string, unknown> = {}
  let at = 0
  for (const [name, { shape, data }] of tensors) {
    header[name] = { dtype: 'F32', shape, data_offsets: [at, at + data.byteLength] }
    at += data.byteLength
  }
  const bytes = [...tensors.values()].map(
    ({ data }) => new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
  )
  return withHeader(header, Buffer.concat(bytes))
}
