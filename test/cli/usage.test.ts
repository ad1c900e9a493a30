import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { sampleFiles } from 'textrec'
import { describe, expect, test } from 'vitest'
import { EVALUATE } from '#src/project/evaluation.js'
import { ended, MAIN, start, temporaryFolder, textrec } from './textrec.js'

const folder = temporaryFolder()

const COMMANDS = [
  'demo',
  'import',
  'index',
  'train',
  'tune',
  'evaluate',
  'recommend',
  'explain',
  'audience',
  'similar',
  'search',
  'clusters',
  'add',
  'remove',
  'forget',
  'stats',
  'export',
  'doctor',
]

describe('help', () => {
  test('lists every command', async () => {
    const { code, stdout, stderr } = await textrec(['--help'])
    expect(code).toBe(0)
    expect(stderr).toBe('')
    for (const command of COMMANDS) expect(stdout).toMatch(new RegExp(`^  ${command} `, 'm'))
  })

  test('is the same however it is asked for', async () => {
    const asked = [['--help'], ['-h'], ['help'], ['--help', '--json']].map((args) => textrec(args))
    const texts = await Promise.all([...asked, textrec([])])
    for (const { stdout, stderr } of texts) expect(stdout + stderr).toBe(texts[0].stdout)
  })

  test('is the same for `help COMMAND` and `COMMAND --help`', async () => {
    const [one, two] = await Promise.all([textrec(['help', 'similar']), textrec(['similar', '--help'])])
    expect(one.stdout).toContain('--item-file')
    expect(one.stdout).toBe(two.stdout)
  })

  test("names the library's own default for the models to compare", async () => {
    const { stdout } = await textrec(['evaluate', '--help'])
    expect(stdout.replace(/\s+/g, ' ')).toContain(`(default: ${EVALUATE.models.default.join(', ')})`)
  })

  test('is printed on standard error, as a usage error, when no command is given', async () => {
    const { code, stdout, stderr } = await textrec([])
    expect(code).toBe(2)
    expect(stdout).toBe('')
    expect(stderr).toContain('Usage: textrec COMMAND')
  })

  test('loads nothing but commander and the command line itself', async () => {
    const log = join(folder, 'loaded.txt')
    // A hook that writes down every module that is loaded, and runs before main.js.
    const hook = `import { appendFileSync } from 'node:fs'
      export async function load(url, context, next) {
        appendFileSync(${JSON.stringify(log)}, url + '\\n')
        return next(url, context)
      }`
    const register = `import { register } from 'node:module'
      register(${JSON.stringify(`data:text/javascript,${encodeURIComponent(hook)}`)})`
    const preload = `data:text/javascript,${encodeURIComponent(register)}`
    const loadedBy = async (...args: string[]) => {
      writeFileSync(log, '')
      const { code } = await ended(start(process.execPath, ['--import', preload, MAIN, ...args]))
      expect(code).toBe(0)
      return readFileSync(log, 'utf8').trim().split('\n')
    }
    // The general help does without commander.
    const general = (await loadedBy('--help')).filter((url) => url.startsWith('file:'))
    expect(general).toHaveLength(1)
    expect(general[0]).toMatch(/\/dist\/src\/cli\/main\.js$/)
    const loaded = await loadedBy('index', '--help')
    const heavy = loaded.filter(
      (url) =>
        url.startsWith('file:') &&
        !url.includes('/node_modules/commander/') &&
        !url.includes('/dist/src/cli/'),
    )
    expect(heavy).toEqual([])
    expect(loaded.filter((url) => url.includes('cli-table3') || url.includes('cli-progress'))).toEqual([])
  })
})

test('--version prints the version of the package', async () => {
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
    version: string
  }
  expect(await textrec(['--version'])).toEqual({ code: 0, stdout: `${version}\n`, stderr: '' })
})

describe('wrong usage ends with 2, one line, and the nearest name', () => {
  const cases: readonly [args: readonly string[], says: RegExp][] = [
    [['serach', 'x'], /unknown command 'serach' \(Did you mean search\?\) See 'textrec --help'/],
    [['import', '--dir', 'x', '--itmes', 'f'], /unknown option '--itmes' \(Did you mean --items\?\)/],
    [['serach', '--help'], /unknown command 'serach' \(Did you mean search\?\)/],
    [['help', 'serach'], /unknown command 'serach' \(Did you mean search\?\)/],
    [['stats', '--dir', ''], /option '--dir <folder>' argument '' is invalid\. It must not be empty\./],
    [['demo', '--dir', ' '], /It must not be empty/],
    [['import', '--dir', 'x', '--items', 'f', '--map', 'id=a', '--map', 'id=b'], /'id' is given twice/],
    [['stats'], /required option '--dir <folder>' not specified\. See 'textrec stats --help'/],
    [['import', '--dir', 'x'], /give --items, --reviews or --interactions with a file, or --sample/],
    [['import', '--dir', 'x', '--items', 'f', '--map', 'id'], /It must be name=value/],
    [['import', '--dir', 'x', '--items', 'f', '--format', 'xml'], /Allowed choices are auto, csv/],
    [['index', '--dir', 'x', '--device', 'gpu'], /Allowed choices are auto, cpu, webgpu, cuda/],
    [['index', '--dir', 'x', '--threads', '1.5'], /It must be a whole number of at least 0/],
    [['similar', '--dir', 'x'], /give one of ITEM, --text and --item-file; 0 were given/],
    [['similar', '--dir', 'x', 'a', '--text', 'b'], /2 were given/],
    [['similar', '--dir', 'x', 'a', '-k', '0'], /It must be a whole number from 1 to 100000\./],
    [['similar', '--dir', 'x', 'a', '-k', '1e9'], /It must be a whole number from 1 to 100000\./],
    [['search', '--dir', 'x', 'a', '--filter', '{'], /It must be JSON/],
    [['search', '--dir', 'x', 'a', '--filter', '[1]'], /It must be a JSON object/],
    [['search', '--dir', 'x'], /missing required argument 'text'/],
    [['add', '--dir', 'x', '--title', 'T'], /needs --id/],
    [['add', '--dir', 'x'], /give files, or one item by hand/],
    [['remove', '--dir', 'x'], /give the ids of the items to remove/],
    [['remove', '--dir', 'x', '--items', ','], /one or more ids, separated by commas/],
    [['stats', '--dir', 'x', 'y'], /too many arguments/],
  ]

  test.each(cases)('%j', async (args, says) => {
    const { code, stdout, stderr } = await textrec(args, { cwd: folder })
    expect(code).toBe(2)
    expect(stdout).toBe('')
    expect(stderr).toMatch(says)
    expect(stderr).toMatch(/^textrec: USAGE: [^\n]+\n$/)
    expect(existsSync(join(folder, 'x'))).toBe(false)
  })

  test('as one JSON line on standard error with --json', async () => {
    const { code, stdout, stderr } = await textrec(['stats', '--json'])
    expect(code).toBe(2)
    expect(stdout).toBe('')
    expect(JSON.parse(stderr)).toEqual({
      error: {
        code: 'USAGE',
        fact: "required option '--dir <folder>' not specified.",
        remedy: "See 'textrec stats --help'.",
      },
    })
  })
})

describe.skipIf(!existsSync('/dev/full'))('standard output on a full disk', () => {
  const full = (...args: readonly string[]) =>
    ended(start('sh', ['-c', 'exec "$@" > /dev/full', 'sh', process.execPath, MAIN, ...args]))

  test('is one line and exit code 1, also for help', async () => {
    const line =
      'textrec: DISK_FULL: Standard output could not be written (ENOSPC). Make room, or send it elsewhere.\n'
    const dir = join(folder, 'full.textrec')
    const imported = await full('import', '--dir', dir, '--items', sampleFiles().items)
    expect(imported).toEqual({ code: 1, stdout: '', stderr: line })
    expect(await full('doctor', '--dir', dir)).toEqual({ code: 1, stdout: '', stderr: line })
    expect(await full('--help')).toEqual({ code: 1, stdout: '', stderr: line })
    const { stderr } = await full('stats', '--dir', dir, '--json')
    expect(JSON.parse(stderr)).toMatchObject({ error: { code: 'DISK_FULL' } })
  })
})

describe('a folder that holds no project', () => {
  const asking: readonly (readonly string[])[] = [
    ['index'],
    ['similar', 'a'],
    ['search', 'a'],
    ['add', '--id', 'a'],
    ['remove', 'a'],
    ['stats'],
    ['doctor'],
  ]

  test.each(asking)('is refused and not made by %s', async (command, ...rest) => {
    const dir = join(folder, 'missing')
    const { code, stdout, stderr } = await textrec([command, '--dir', dir, ...rest])
    expect(code).toBe(1)
    expect(stdout).toBe('')
    expect(stderr).toMatch(/^textrec: PROJECT_MISSING: [^\n]+\n$/)
    expect(existsSync(dir)).toBe(false)
  })
})
