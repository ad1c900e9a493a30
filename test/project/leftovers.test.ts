import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { examine } from '#src/project/doctor.js'
import { Store } from '#src/store/index.js'

const repairs = { rebuild: async () => undefined, withdraw: async () => undefined }

test.each(['.', 'indexes', 'crowd', 'people', 'training'])(
  'the doctor sees and removes what a killed process left in %s, and nothing of a living one',
  async (place) => {
    const directory = mkdtempSync(join(tmpdir(), 'textrec-leftovers-'))
    const store = Store.open(directory, { create: true })
    try {
      const { pid } = spawnSync(process.execPath, ['-e', '0'])
      const dead = join(directory, place, `.current.new-${pid}.1-0123456789ab`)
      const living = join(directory, place, `.current.new-${process.pid}.0-0123456789ab`)
      mkdirSync(living, { recursive: true })
      const leftovers = async (repair: boolean) =>
        (await examine(store, { repair, signal: undefined, onProgress: undefined }, repairs)).checks.find(
          ({ name }) => name === 'leftovers',
        )
      expect(await leftovers(false)).toMatchObject({ ok: true })
      mkdirSync(dead)
      expect(await leftovers(false)).toMatchObject({ ok: false, fact: 'One folder is not used by anything.' })
      expect(await leftovers(true)).toMatchObject({ ok: true, repaired: true })
      expect([dead, living].map((folder) => existsSync(folder))).toEqual([false, true])
    } finally {
      store.close()
      rmSync(directory, { recursive: true, force: true })
    }
  },
)
