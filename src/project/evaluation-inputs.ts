import {
  type Adapter,
  fitWhitening,
  type TrainOptions,
  trainAdapter,
  type Whitening,
  whiten,
} from '../adapter/index.js'
import { TextrecError } from '../errors.js'
import { type HeldOut, INSTALLED_WORDS, installedWordVectors, type Split, words } from '../evaluate/index.js'
import {
  type KnownVectors,
  meanOfWordVectors,
  type WordSource,
  type WordTexts,
  wordRows,
  wordsOfFile,
} from '../families/index.js'
import type { FitContext } from '../ranking.js'
import type { InteractionTable, Matrix } from '../types.js'
import type { KnownTexts } from './known-texts.js'
import { documentsWithoutOwn, textsWithoutOwn } from './own-reviews.js'
import { chooseDirections } from './whitening-choice.js'

/** What the models of one evaluation share: everything is made once, and only if a model asks for it. */
export class EvaluationInputs {
  private readonly made = new Map<InteractionTable, Promise<Matrix>>()
  private readonly without = new Map<InteractionTable, Promise<Matrix[] | undefined>>()
  private chosen: Promise<number> | undefined
  private trained: Promise<Adapter[]> | undefined
  private wordMeans: Promise<KnownVectors> | undefined

  constructor(
    readonly split: Split,
    readonly texts: KnownTexts,
    readonly textSpace: string,
    readonly training: Partial<TrainOptions>,
    readonly threads: number,
    readonly wordVectorFile?: string,
    /** Folders of trained projects that 'transfer' takes adapters from. */
    readonly transferFrom: readonly string[] = [],
  ) {}

  /** [items, dim] text vectors from what is allowed while `table` (training or fitting) is what is known. */
  vectors(table: InteractionTable): Promise<Matrix> {
    const known = this.made.get(table) ?? this.texts.vectors(this.heldOutWith(table))
    this.made.set(table, known)
    return known
  }

  /** The words of each item and what to ask by, without what validation asks for: one search serves both steps. */
  documents(): { readonly documents: string[]; readonly queries: string[] } {
    return this.texts.documents(this.split.heldOutWhileFitting)
  }

  /** The same vectors, and each without what a part of the people wrote: what a family may learn from. */
  async taught(table: InteractionTable, count: number): Promise<KnownVectors> {
    const texts = await this.vectors(table)
    return this.whitened(table, fitWhitening(texts, Int32Array.from(new Set(table.items)), count))
  }

  /** The same in a space that was made elsewhere. */
  async whitened(table: InteractionTable, whitening: Whitening): Promise<KnownVectors> {
    const texts = await this.vectors(table)
    const without = await this.withoutOwn(table)
    return { vectors: whiten(whitening, texts), without: without?.map((some) => whiten(whitening, some)) }
  }

  /** [items, dim] the mean of the word vectors of each item's words, in lower case, from the source that the caller named. */
  async wordVectors(model: string): Promise<KnownVectors> {
    this.wordMeans ??= this.meansOfWords(this.sourceOfWords(model))
    return this.wordMeans
  }

  /** The first `length` words of each item's text that the named word vectors know. */
  async wordTexts(model: string, length: number): Promise<WordTexts> {
    const [all, ...without] = this.wordLists()
    const { table, tokens } = await wordRows(this.sourceOfWords(model), [all, ...without], words, length)
    return { table, length, tokens: tokens[0], without: without.length > 0 ? tokens.slice(1) : undefined }
  }

  /**
   * The adapter for use and the one that validation may judge. Both learn from the texts of the fitting step: the
   * reviews that validation holds out are in no vector that they are trained with.
   */
  async adapters(context: FitContext): Promise<{ readonly adapter: Adapter; readonly judged: Adapter }> {
    this.trained ??= this.train(context)
    const [adapter, judged] = await this.trained
    return { adapter, judged }
  }

  /** How many directions of whitened text validation prefers. */
  directions(fitting: InteractionTable, validation: FitContext['validation']): Promise<number> {
    this.chosen ??= this.vectors(fitting).then((texts) => chooseDirections(texts, fitting, validation))
    return this.chosen
  }

  /** Closes what was trained, so that the next seed trains anew; texts and what was chosen without a seed stay. */
  async close(): Promise<void> {
    const trained = await this.trained?.catch(() => [])
    this.trained = undefined
    for (const adapter of trained ?? []) await adapter.close()
  }

  /** The text vectors of `vectors` without what each part of the people wrote, where they wrote any. */
  private withoutOwn(table: InteractionTable): Promise<Matrix[] | undefined> {
    const made =
      this.without.get(table) ?? textsWithoutOwn(this.texts, this.heldOutWith(table), this.split.table)
    this.without.set(table, made)
    return made
  }

  private heldOutWith(table: InteractionTable): HeldOut {
    return table === this.split.training ? this.split.heldOut : this.split.heldOutWhileFitting
  }

  private async meansOfWords(source: WordSource): Promise<KnownVectors> {
    const [vectors, ...without] = await meanOfWordVectors(source, this.wordLists(), words)
    return { vectors, without: without.length > 0 ? without : undefined }
  }

  /** What is written of each item: all of it, and without what each part of the people wrote, where they wrote any. */
  private wordLists(): readonly (readonly string[])[] {
    const { heldOutWhileFitting, table } = this.split
    const own = documentsWithoutOwn(this.texts, heldOutWhileFitting, table) ?? []
    return [this.documents().documents, ...own]
  }

  private sourceOfWords(model: string): WordSource {
    const { wordVectorFile: named } = this
    if (named === INSTALLED_WORDS) return installedWordVectors
    if (named !== undefined) return wordsOfFile(named)
    throw new TextrecError(
      'OPTION_INVALID',
      `evaluate: ${model} needs a file of word vectors.`,
      `Name one: --word-vectors FILE, or option wordVectors; '${INSTALLED_WORDS}' is the optional package.`,
    )
  }

  private async train({ training, fitting, validation, seed, signal, onProgress }: FitContext) {
    const texts = await this.vectors(fitting)
    const textsWithout = await this.withoutOwn(fitting)
    const textDim = this.training.textDim ?? (await this.directions(fitting, validation))
    const { adapter, judged } = await trainAdapter(
      { texts, textsWithout, textSpace: this.textSpace, training, fitting, validation },
      { seed, threads: this.threads, ...this.training, textDim },
      { signal, onProgress },
    )
    return [adapter, judged]
  }
}
