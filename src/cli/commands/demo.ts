import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Command } from 'commander'
import type { Answer, ImportReport, IndexReport, Recommender } from '../../index.js'
import type { ScoreKind } from '../answer.js'
import { type Book, readBookshelf } from '../demo/bookshelf.js'
import { DEPTH, type Evidence, measure } from '../demo/evidence.js'
import { KNOWN_BOOK, NEW_BOOK, SEARCHES } from '../demo/questions.js'
import { invocation } from '../invocation.js'
import {
  addDeviceFlags,
  addExample,
  addOutputFlags,
  type EncoderFlags,
  path,
  type ShellFlags,
} from '../options.js'
import { runCommand, type Shell } from '../shell.js'
import { outputWidth, table } from '../table.js'
import { bold, duration, figure, percent, shellWord, wrap } from '../text.js'

type DemoFlags = Partial<ShellFlags> & EncoderFlags

/** `textrec demo`: a tour of the built-in bookshelf that ends with what the answers are worth. */
export function define(command: Command): void {
  command
    .description(
      'Show all of it on the built-in bookshelf, without network: import, index, ask for books like one, for a text, for a book that is not on the shelf, and measure how good the answers are.',
    )
    .option('--dir <folder>', 'where the project is made (default: a new temporary folder)', path)
  addDeviceFlags(addOutputFlags(command)).action(async (flags: DemoFlags) => {
    const dir = flags.dir ?? join(await mkdtemp(join(tmpdir(), 'textrec-demo-')), 'books.textrec')
    await runCommand({ ...flags, dir }, async (shell) => {
      const report = await runDemo(shell, dir, flags)
      shell.print(report, () => `${tell(report)}${shell.remark(tellNext(report.directory))}`)
    })
  })
  addExample(command, 'textrec demo --dir books.textrec')
}

interface Asked {
  readonly asked: string
  readonly about?: string
  readonly answer: Answer
  readonly scores: ScoreKind
}

interface DemoReport {
  readonly directory: string
  readonly import: ImportReport
  readonly index: IndexReport
  readonly answers: readonly Asked[]
  readonly evidence: readonly Evidence[]
  /** Authors of the answers' books, for the tables. */
  readonly authors: Readonly<Record<string, string>>
  readonly seconds: {
    readonly import: number
    readonly index: number
    readonly ask: number
    readonly measure: number
  }
}

async function runDemo(shell: Shell, directory: string, flags: DemoFlags): Promise<DemoReport> {
  const { library, long } = shell
  const clock = stopwatch()
  const shelf = await readBookshelf(library)
  const project = await shell.open(flags, { create: true })
  shell.note(`Importing the bookshelf into ${directory}`)
  const imported = await project.import(library.sampleFiles(), long)
  const importSeconds = clock()
  shell.note('Encoding the texts and building the index')
  const index = await project.index(long)
  const indexSeconds = clock()
  const answers = await ask(project, shelf.books, long.signal)
  const askSeconds = clock()
  shell.note('Asking about every book, to measure how good the answers are')
  const onBook = (done: number): void =>
    long.onProgress?.({ stage: 'measure', done, total: shelf.books.length, unit: 'books' })
  const evidence = await measure(project, shelf, { signal: long.signal, onBook })
  const authors = Object.fromEntries(shelf.books.map(({ id, author }) => [id, author]))
  const seconds = { import: importSeconds, index: indexSeconds, ask: askSeconds, measure: clock() }
  return { directory, import: imported, index, answers, evidence, authors, seconds }
}

/** Seconds since the last call. */
function stopwatch(): () => number {
  let last = performance.now()
  return () => {
    const now = performance.now()
    const seconds = (now - last) / 1000
    last = now
    return seconds
  }
}

async function ask(project: Recommender, books: readonly Book[], signal: AbortSignal): Promise<Asked[]> {
  const known = books.find(({ id }) => id === KNOWN_BOOK) as Book
  const answers: Asked[] = [
    {
      asked: `Books like ${known.title}, by ${known.author}`,
      answer: await project.similarItems(KNOWN_BOOK, { k: 6, signal }),
      scores: 'cosine',
    },
  ]
  for (const text of SEARCHES) {
    answers.push({
      asked: `Search: "${text}"`,
      answer: await project.search(text, { k: 5, signal }),
      scores: 'fused',
    })
  }
  const { title, description, by } = NEW_BOOK
  answers.push({
    asked: `Like a book that is not on the shelf: ${title}`,
    about: `${description} (It is by ${by}; textrec was told only the title and these words.)`,
    answer: await project.similarToItem({ title, description }, { k: 6, signal }),
    scores: 'cosine',
  })
  return answers
}

function tell(report: DemoReport): string {
  const { index, seconds } = report
  const [items, reviews] = report.import.files
  const rate =
    index.vectors.encoded === 0 ? '' : `, ${figure(index.vectors.encoded / index.seconds.encode)} texts/s`
  const steps = table(
    [{ head: 'step' }, { head: 'took', align: 'right' }, { head: 'what', least: 20 }],
    [
      [
        'import',
        duration(seconds.import),
        `${figure(items.accepted)} books, ${figure(reviews.accepted)} reviews`,
      ],
      [
        'index',
        duration(seconds.index),
        `${figure(index.vectors.encoded)} texts read by ${index.encoder.name} (${index.encoder.dtype} on ${index.encoder.device}${rate}); ${index.index.kind} index`,
      ],
      ['ask', duration(seconds.ask), `${report.answers.length} questions`],
      ['measure', duration(seconds.measure), `two questions about each of ${figure(items.accepted)} books`],
    ],
  )
  return [
    ...report.answers.map((asked) => tellAnswer(asked, report.authors)),
    tellEvidence(report.evidence),
    steps,
  ].join('\n\n')
}

function tellAnswer({ asked, about, answer, scores }: Asked, authors: DemoReport['authors']): string {
  const rows = answer.items.map(({ rank, score, itemId, title }) => [
    String(rank),
    score.toFixed(4),
    title ?? itemId,
    authors[itemId] ?? '',
  ])
  const ranking = table(
    [
      { head: 'rank', align: 'right' },
      { head: scores, align: 'right' },
      { head: 'title', least: 16 },
      { head: 'author', least: 10 },
    ],
    rows,
  )
  return [
    bold(asked),
    ...(about === undefined ? [] : [wrap(about, Math.min(100, outputWidth()))]),
    ranking,
  ].join('\n')
}

function tellEvidence(evidence: readonly Evidence[]): string {
  const rows = evidence.map(({ claim, unit, found, chance, over }) => {
    const show = unit === 'share' ? percent : (value: number) => figure(value, 2)
    return [show(found), show(chance), `${figure(found / chance, 1)} x`, `${claim}; ${over} books`]
  })
  const how = `How good is that? Every book of the shelf was asked about just now, and its ${DEPTH} nearest were counted, against what books drawn at random would give. For the first two figures a book was asked about as if it were new, by its description alone: no author, genre or review. The third is about taste: the shelf's readers are invented, and who wrote which review is not known to the index.`
  return [
    bold('Why it is good'),
    wrap(how, Math.min(100, outputWidth())),
    table(
      [
        { head: 'found', align: 'right' },
        { head: 'chance', align: 'right' },
        { head: 'better', align: 'right' },
        { head: 'what was counted', least: 30 },
      ],
      rows,
    ),
  ].join('\n')
}

function tellNext(directory: string): string {
  const textrec = invocation()
  const dir = shellWord(directory)
  return [
    bold(`The project stays in ${directory}. Try:`),
    `  ${textrec} search --dir ${dir} "letters between lovers who never meet"`,
    `  ${textrec} similar --dir ${dir} dracula --filter '{"year": {"$lt": 1850}}'`,
    `  ${textrec} similar --dir ${dir} --text "A detective who is never wrong."`,
    `  ${textrec} import --help`,
  ].join('\n')
}
