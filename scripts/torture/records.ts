import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { openEncoder } from '../../src/encode/index.js'
import { isTextrecError, Recommender } from '../../src/index.js'
import { Store } from '../../src/store/index.js'
import { FORMATS, type FuzzedFormat, mutatedLine } from './fuzzed-files.js'
import { Prober } from './prober.js'
import { lineOf, type TortureContext, type TortureTest } from './test.js'

/** Files that a broken exporter, a broken connection or somebody with a plan has written. */
export const test: TortureTest = {
  name: 'records',
  promise:
    'Whatever a file holds, every record is accepted or refused, and counted once; different ids stay different; texts of any kind and length become finite unit vectors; filters are data, never SQL.',
  run: (context) => new RecordsTest(context).run(),
}

/** MB that importing a hostile line of the greatest length may need at the highest, the process itself included. */
const MOST_MEGABYTES = 512
/** Seconds of processor time for the longest text: by the clock, a loaded machine would be the text's fault. */
const MOST_SECONDS = 60

class RecordsTest {
  private readonly counts = {
    lines: 0,
    uncounted: 0,
    polluted: 0,
    untyped: 0,
    ids: 0,
    merged: 0,
    texts: 0,
    unsound: 0,
    filters: 0,
    injected: 0,
    large: 0,
  }
  private readonly complaints: string[] = []
  private readonly notes: string[] = []

  constructor(private readonly context: TortureContext) {}

  async run() {
    const started = performance.now()
    const perFormat = Math.ceil((this.context.short ? 8_000 : 120_000) / FORMATS.length)
    for (const format of FORMATS) await this.fuzz(format, perFormat)
    await this.ids()
    await this.filters()
    await this.longLines()
    await this.texts()
    return lineOf(
      'records',
      started,
      this.counts,
      ['uncounted', 'polluted', 'untyped', 'merged', 'unsound', 'injected', 'large'],
      this.complaints,
      this.notes,
    )
  }

  private fail(count: keyof RecordsTest['counts'], complaint: string): void {
    this.counts[count]++
    if (this.complaints.length < 40) this.complaints.push(complaint)
  }

  /** Files of a thousand lines, every second one mutated, into a project of their own. */
  private async fuzz(format: FuzzedFormat, lines: number): Promise<void> {
    const { random, work, signal } = this.context
    const folder = join(work, `fuzz-${format.name.replace(/\W+/g, '-')}`)
    mkdirSync(folder)
    const shop = await Recommender.open(join(folder, 'shop'))
    const sum = { read: 0, accepted: 0, rejected: 0, refused: 0 }
    try {
      for (let done = 0; done < lines; done += 500) {
        signal.throwIfAborted()
        const parts: Buffer[] = [Buffer.from(format.header)]
        for (let i = 0; i < 500; i++) {
          parts.push(Buffer.from(format.line(done + i)), mutatedLine(format.line(done + i), random))
        }
        const bytes = Buffer.concat(parts)
        const path = join(folder, 'lines.txt')
        writeFileSync(path, bytes)
        this.counts.lines += 500
        try {
          const report = await shop.import({ [format.kind]: path })
          const [file] = report.files
          sum.read += report.read
          sum.accepted += report.accepted
          sum.rejected += report.rejected
          const expected = format.quoted ? report.read : recordLines(bytes, format.header !== '')
          if (
            report.accepted + report.rejected !== report.read ||
            file.added + file.replaced + file.unchanged !== file.accepted ||
            report.read !== expected
          ) {
            this.fail('uncounted', `${format.name}: ${JSON.stringify({ ...file, expected })}`)
          }
        } catch (error) {
          // A whole file may be refused, with a code; one whose format is known by its first, sound line is not.
          sum.refused++
          if (!isTextrecError(error)) this.fail('untyped', `${format.name}: ${(error as Error).stack}`)
          else this.fail('uncounted', `${format.name}: the whole file: ${error.message}`)
        }
        if (({} as { polluted?: unknown }).polluted !== undefined) this.fail('polluted', format.name)
      }
    } finally {
      await shop.close()
    }
    this.notes.push(
      `${format.name}: ${sum.read} records read, ${sum.accepted} accepted, ${sum.rejected} refused`,
    )
    this.context.log(this.notes.at(-1) as string)
  }

  /** Ids that look or end alike are as many items as there are ids, or are refused. */
  private async ids(): Promise<void> {
    const long = 'x'.repeat(64 * 1024)
    const digits = ['9007199254740992', '9007199254740993', '9007199254740994', '18446744073709551616']
    const groups: readonly (readonly string[])[] = [
      digits.map((id) => `{"id":${id},"title":"t"}`),
      ['caf\u00e9', 'cafe\u0301', '\u212b', '\u00c5', 'A\u030a', 'ﬁ', 'fi'].map((id) =>
        JSON.stringify({ id, title: 't' }),
      ),
      [`${long}1`, `${long}2`, long].map((id) => JSON.stringify({ id, title: 't' })),
      ['a', 'a\u200b', 'a\u00ad', '\u0430', 'A', 'a\ufe0f', '01', '1', '1.0', '+1', '1e0'].map((id) =>
        JSON.stringify({ id, title: 't' }),
      ),
    ]
    for (const [i, group] of groups.entries()) {
      const folder = join(this.context.work, `ids-${i}`)
      mkdirSync(folder)
      const path = join(folder, 'items.jsonl')
      writeFileSync(path, group.map((line) => `${line}\n`).join(''))
      const shop = await Recommender.open(join(folder, 'shop'))
      const { accepted, rejected } = await shop.import({ items: path })
      const { items } = await shop.stats()
      await shop.close()
      this.counts.ids += group.length
      if (accepted !== items || accepted + rejected !== group.length) {
        this.fail('merged', `ids ${i}: ${group.length} given, ${accepted} accepted, ${items} stored`)
      }
    }
  }

  /** Names and values of filters that would end a statement, were they ever part of one. */
  private async filters(): Promise<void> {
    const folder = join(this.context.work, 'filters')
    const store = Store.open(folder, { create: true })
    const strings = [
      "'; DROP TABLE item; --",
      '"; DELETE FROM item; --',
      "' OR '1'='1",
      "x') UNION SELECT value FROM meta --",
      '%',
      '_',
      '*',
      "\\'",
      '\u0000',
      '$' + '{1+1}',
      'item.key',
      '1; ATTACH DATABASE "x" AS y',
    ]
    store.write({
      items: [
        { id: 'plain', title: 'plain', attributes: { name: 'plain', n: 1 } },
        ...strings.map((text, i) => ({
          id: `s${i}`,
          title: 't',
          attributes: { name: text, [`k${text}`]: text },
        })),
      ],
    })
    const before = store.counts().items
    const expectKeys = (what: string, filter: object, ids: readonly string[]) => {
      this.counts.filters++
      try {
        const found = store.itemIds(store.filterItems(filter as never))
        if (JSON.stringify(found) !== JSON.stringify(ids))
          this.fail('injected', `${what}: ${JSON.stringify(found)}`)
      } catch (error) {
        if (!isTextrecError(error) || error.code !== 'OPTION_INVALID')
          this.fail('untyped', `${what}: ${error}`)
        else if (ids.length > 0) this.fail('injected', `${what}: refused, ${error.message}`)
      }
    }
    for (const [i, text] of strings.entries()) {
      // Equality finds the one item that holds the very text, and so does the attribute of that name.
      expectKeys(`value ${i}`, { name: text }, [`s${i}`])
      expectKeys(`value ${i} in a list`, { name: { $in: [text] } }, [`s${i}`])
      expectKeys(`id ${i}`, { id: text }, [])
      expectKeys(`title ${i}`, { title: { $eq: text } }, [])
      expectKeys(`name ${i}`, { [`k${text}`]: text }, [`s${i}`])
      expectKeys(`unknown name ${i}`, { [text]: 'plain' }, [])
      expectKeys(`operator ${i}`, { name: { [`$${text}`]: 1 } }, [])
    }
    const problems = store.check()
    if (store.counts().items !== before || problems.length > 0)
      this.fail('injected', `the catalogue has changed: ${problems.join('; ')}`)
    store.close()
  }

  /** Lines of 16 MB, the most that is read, each kind in a process of its own. */
  private async longLines(): Promise<void> {
    const { work } = this.context
    const size = 16 * 2 ** 20 - 64
    const header = 'user,item,time\nu,i,1600000000\n'
    const lines: { readonly [what: string]: () => string } = {
      commas: () => `${header}${`${','.repeat(size)}\n`.repeat(3)}`,
      quotes: () => `${header}${`${'"'.repeat(size)}\n`.repeat(3)}`,
      'quoted commas': () => `${header}${`u,"${','.repeat(size - 64)}",1\n`.repeat(3)}`,
      'open brackets': () => `{"user":"u","item":"i"}\n${`${'['.repeat(size)}\n`.repeat(3)}`,
      'nested objects': () => `{"user":"u","item":"i"}\n${`${'{"a":'.repeat(size / 5)}\n`.repeat(3)}`,
      'many keys': () => {
        const keys = Array.from({ length: size / 16 }, (_, i) => `"k${i}":${i % 10}`).join(',')
        return `{"user":"u","item":"i"}\n${`{${keys}}\n`.repeat(3)}`
      },
      'long digits': () => `{"user":"u","item":"i"}\n${`{"user":${'9'.repeat(size - 64)}}\n`.repeat(3)}`,
      'Python quotes': () =>
        `{"user":"u","item":"i"}\n${`{'a': '${"\\'".repeat(size / 2 - 64)}'}\n`.repeat(3)}`,
    }
    for (const [what, content] of Object.entries(lines)) {
      const path = join(work, 'long.txt')
      writeFileSync(path, content())
      const prober = new Prober()
      const outcome = await prober.ask('import', {
        folder: join(work, `long-${what.replace(' ', '-')}`),
        path,
      })
      prober.end()
      if (outcome.kind !== 'answer') {
        this.fail('untyped', `${what}: ${outcome.fact}`)
        continue
      }
      const { read, accepted, rejected, megabytes } = JSON.parse(outcome.result) as ImportProbe
      if (accepted + rejected !== read) this.fail('uncounted', `${what}: ${outcome.result}`)
      if (megabytes > MOST_MEGABYTES) this.fail('large', `16 MB of ${what}: ${megabytes.toFixed(0)} MB`)
      this.notes.push(
        `16 MB of ${what}: ${megabytes.toFixed(0)} MB at the highest, ${rejected} of ${read} refused`,
      )
      this.context.log(this.notes.at(-1) as string)
    }
  }

  private async texts(): Promise<void> {
    const { short, work, log } = this.context
    const most = short ? 100_000 : 1_000_000
    const fill = (part: string) => part.repeat(Math.ceil(most / part.length)).slice(0, most)
    const texts: { readonly [what: string]: string } = {
      nothing: '',
      'white space': ' \t\n\u3000',
      'zero width': '\u200b\u200d\ufeff\u2060',
      emoji: '👩‍👩‍👧‍👦🏳️‍🌈🙂',
      'right to left': 'שלום עולם مرحبا بالعالم \u202eabc',
      CJK: '静かな練習用アンプ 安静的练习音箱 조용한 연습용 앰프',
      'lone surrogates': '\ud800 x \udfff',
      'control characters': '\u0000\u0001\u007f\u0085',
      'combining marks': `a${'\u0301'.repeat(2000)}`,
      [`${most} letters without a space`]: fill('a'),
      [`${most} characters of words`]: fill('warm nylon strings '),
      [`${most} CJK characters`]: fill('静かな練習用'),
      [`${most} characters of emoji`]: fill('🙂'),
      [`${most} zero widths`]: fill('\u200b'),
      [`${most} dots`]: fill('.'),
    }
    const encoder = await openEncoder('all-MiniLM-L6-v2', {
      device: 'cpu',
      dtype: 'int8',
      cacheDirectory: join(work, 'cache'),
    })
    let slowest = { seconds: 0, what: '' }
    try {
      for (const [what, text] of Object.entries(texts)) {
        this.context.signal.throwIfAborted()
        const started = process.cpuUsage()
        const { data } = await encoder.encode([text])
        const { user, system } = process.cpuUsage(started)
        const seconds = (user + system) / 1e6
        const length = Math.sqrt(data.reduce((sum, value) => sum + value * value, 0))
        this.counts.texts++
        if (!(Math.abs(length - 1) < 1e-3)) this.fail('unsound', `${what}: length ${length}`)
        if (seconds > MOST_SECONDS) this.fail('unsound', `${what}: ${seconds.toFixed(0)} s`)
        if (seconds > slowest.seconds) slowest = { seconds, what }
      }
    } finally {
      await encoder.close()
    }
    this.notes.push(`slowest text: ${slowest.what}, ${slowest.seconds.toFixed(1)} s of processor time`)
    log(this.notes.at(-1) as string)
  }
}

export interface ImportProbe {
  readonly read: number
  readonly accepted: number
  readonly rejected: number
  /** Of the whole process, at the highest. */
  readonly megabytes: number
}

/** Lines that are not blank, less the header: what a format without quotes reads. */
function recordLines(bytes: Buffer, header: boolean): number {
  const lines = bytes.toString('latin1').split('\n')
  // White space as the reader sees it, in UTF-8.
  const blank = lines.filter((line) => Buffer.from(line, 'latin1').toString('utf8').trim() === '').length
  return lines.length - blank - (header ? 1 : 0)
}
