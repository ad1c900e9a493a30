/**
 * Loaded before everything else (`node --import`): the names that a process draws for its folders are the same in
 * every run, so that a tracer can be told beforehand which files are meant.
 */
import crypto from 'node:crypto'
import { syncBuiltinESMExports } from 'node:module'
import { threadId } from 'node:worker_threads'

let drawn = 0

/** The next number of this thread, and the thread's own. */
function next(size: number): Buffer {
  const bytes = Buffer.alloc(size)
  bytes.writeUInt32BE(++drawn)
  bytes[size - 1] = threadId
  return bytes
}

function randomUUID(): crypto.UUID {
  const hex = next(16).toString('hex')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20)}`
}

Object.assign(crypto, { randomBytes: next, randomUUID })
syncBuiltinESMExports()
