/**
 * The child process that tells the SHA-256 of a catalogue's file. Started by `known-sound.ts` only. A process that has a
 * database open must not open its file beside SQLite: closing it again would cancel all of SQLite's locks on it
 * (https://sqlite.org/howtocorrupt.html, 2.2).
 */
import { createHash } from 'node:crypto'
import { openSync, readSync } from 'node:fs'

const PART = 2 ** 22

const file = openSync(process.argv[2], 'r')
const hash = createHash('sha256')
const part = Buffer.allocUnsafe(PART)
for (let n = readSync(file, part); n > 0; n = readSync(file, part)) hash.update(part.subarray(0, n))
process.stdout.write(hash.digest('hex'))
