import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { noteRejectFile, scrubRejects } from '#src/project/reject-files.js'
import { Store } from '#src/store/index.js'

test('forgetting rewrites reject files only, whatever lies at a path that was once named for rejects', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'textrec-scrub-'))
  const store = Store.open(join(folder, 'p'), { create: true })
  try {
    const diary = join(folder, 'diary.txt')
    const rejects = join(folder, 'rejects.jsonl')
    writeFileSync(diary, 'dear diary\n{}\n')
    const reject = {
      file: 'x',
      kind: 'reviews',
      line: 3,
      field: 'rating',
      expected: 'a number',
      received: 'ann',
    }
    writeFileSync(rejects, `${JSON.stringify(reject)}\n`)
    for (const path of [diary, rejects, folder, '/dev/null', join(folder, 'gone')])
      noteRejectFile(store, path)
    expect(await scrubRejects(store, 'ann')).toBe(1)
    expect(readFileSync(diary, 'utf8')).toBe('dear diary\n{}\n')
    expect(JSON.parse(readFileSync(rejects, 'utf8'))).toMatchObject({
      line: 3,
      received: '(removed by forget)',
    })
  } finally {
    store.close()
    rmSync(folder, { recursive: true, force: true })
  }
})
