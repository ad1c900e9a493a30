import { closeSync, openSync, readSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { type JsonObject, publishFolder, readFolder, readManifest, readPayload } from '../artifact/index.js'
import { find } from './crowd.js'
import { writeNumbers } from './crowd-files.js'
import { type PersonRecord, readRecord, type TimedHistory } from './person-record.js'

/** Kind of the published folder that holds them. */
export const PEOPLE_KIND = 'people'
const KEYS = 'keys.i32'
const STARTS = 'starts.f64'
const RECORDS = 'records.bin'

/** Where a project keeps the vectors of its people and what the index said about them. */
export function peopleFolder(directory: string): string {
  return join(directory, 'people', 'current')
}

/** What the records were made from. */
export interface PeopleOrigin {
  /** Drawn for this publication. */
  readonly publication: string
  /** Of everything beside a history that decides a record: the space, the settings, the scale of ratings. */
  readonly name: string
  /** The last change of item vectors that all records have seen. */
  readonly sequence: number
  /** Events in the catalogue. */
  readonly events: number
}

/** One person's record, ready to be written. */
export interface NamedRecord {
  readonly user: number
  readonly bytes: Uint8Array
}

/** Publishes records as one folder. @param records in ascending order of the person's key */
export async function publishPeople(
  directory: string,
  origin: PeopleOrigin,
  records: AsyncIterable<NamedRecord>,
): Promise<void> {
  await publishFolder(peopleFolder(directory), PEOPLE_KIND, async (folder) => {
    const keys: number[] = []
    const starts = [0]
    const file = await open(join(folder, RECORDS), 'wx')
    try {
      for await (const { bytes, user } of records) {
        await file.writeFile(bytes)
        keys.push(user)
        starts.push(starts[starts.length - 1] + bytes.length)
      }
    } finally {
      await file.close()
    }
    await writeNumbers(join(folder, KEYS), Int32Array.from(keys))
    await writeNumbers(join(folder, STARTS), Float64Array.from(starts))
    return { ...origin } satisfies JsonObject
  })
}

/**
 * The published records. Each is read when somebody asks for that person, and carries its own digest: one that was
 * damaged, or replaced by another process in between, counts as missing, and the index is searched instead.
 */
export class PeopleFile {
  private constructor(
    readonly origin: PeopleOrigin,
    private readonly path: string,
    /** [people] ascending */
    private readonly keys: Int32Array,
    /** [people + 1] */
    private readonly starts: Float64Array,
  ) {}

  /** @throws INDEX_DAMAGED if the folder is missing or not what was published. */
  static async open(directory: string): Promise<PeopleFile> {
    const folder = peopleFolder(directory)
    const manifest = await readManifest(folder, PEOPLE_KIND, 'INDEX_DAMAGED')
    const payload = async (name: string) =>
      (await readPayload(folder, manifest, name, 'INDEX_DAMAGED')).buffer
    return new PeopleFile(
      manifest.fields as unknown as PeopleOrigin,
      join(folder, RECORDS),
      new Int32Array(await payload(KEYS)),
      new Float64Array(await payload(STARTS)),
    )
  }

  /** Reads all of them once. @throws INDEX_DAMAGED as `open`, and if any record was changed. */
  static async verify(directory: string): Promise<PeopleFile> {
    await readFolder(peopleFolder(directory), PEOPLE_KIND, 'INDEX_DAMAGED')
    return PeopleFile.open(directory)
  }

  get size(): number {
    return this.keys.length
  }

  /** Undefined where there is none for this history. */
  of(user: number, history: TimedHistory): PersonRecord | undefined {
    const at = find(this.keys, user)
    if (at === -1) return undefined
    const bytes = this.read(this.starts[at], this.starts[at + 1])
    return bytes && readRecord(bytes, history)
  }

  private read(from: number, to: number): Uint8Array | undefined {
    let file: number
    try {
      file = openSync(this.path, 'r')
    } catch {
      return undefined // replaced by another process, or somebody was forgotten
    }
    try {
      // Memory of its own, so that the numbers in it are aligned.
      const bytes = new Uint8Array(new ArrayBuffer(to - from))
      return readSync(file, bytes, 0, bytes.length, from) === bytes.length ? bytes : undefined
    } catch {
      return undefined
    } finally {
      closeSync(file)
    }
  }
}
