import { fitWhitening, type Whitening, whiten } from '../adapter/index.js'
import {
  bm25Recipe,
  bm25Search,
  PLAIN_WORDS,
  textMeanRecipe,
  toWords,
  type WordOptions,
} from '../evaluate/index.js'
import { matrix, normalize, row } from '../math/matrix.js'
import { random } from '../math/random.js'
import type { InteractionTable, Matrix } from '../types.js'
import type { MakeRecipe } from './family-models.js'

/** What can be made of the texts without learning from who took what, as models to evaluate, by name. */
export const TEXT_MODELS = {
  bm25: bm25('bm25'),
  'bm25-case': bm25('bm25-case', { lowercase: false }),
  'bm25-stop': bm25('bm25-stop', { stopWords: true }),
  'bm25-stem': bm25('bm25-stem', { stemming: true }),
  'bm25-stop-stem': bm25('bm25-stop-stem', { stopWords: true, stemming: true }),
  whitened: mapped('whitened', { fit: fitWhitening, seedless: true }),
  pca: mapped('pca', {
    fit: (texts, rows, count) => withoutScale(fitWhitening(texts, rows, count)),
    seedless: true,
  }),
  'random-projection': mapped('random-projection', {
    fit: ({ dim }, _, count, seed) => randomProjection(dim, count, seed),
  }),
} as const satisfies { readonly [name: string]: MakeRecipe }

/** What each does to the words is one step of preprocessing, so that each has a figure. */
function bm25(name: string, options: Partial<WordOptions> = {}): MakeRecipe {
  return (inputs) => ({
    name,
    seedless: true,
    fit: async (context) => {
      const { documents, queries } = inputs.documents()
      const search = bm25Search(documents, toWords({ ...PLAIN_WORDS, ...options }))
      const ranker = await bm25Recipe(search, (item) => queries[item]).fit(context)
      return { ...ranker, name }
    },
  })
}

/** A linear map of the text vectors, fitted on the rows of the items that are known. */
interface FitMap {
  readonly fit: (texts: Matrix, rows: Int32Array, count: number, seed: number) => Whitening
  readonly seedless?: true
}

/** The mean of what a person took, by recency, in a space that a map makes; all with as many directions. */
function mapped(name: string, { fit: fitMap, ...seedless }: FitMap): MakeRecipe {
  return (inputs) => ({
    name,
    ...seedless,
    fit: async (context) => {
      const count = await inputs.directions(context.fitting, context.validation)
      const vectors = async (table: InteractionTable) => {
        const texts = await inputs.vectors(table)
        return whiten(fitMap(texts, Int32Array.from(new Set(table.items)), count, context.seed), texts)
      }
      return textMeanRecipe(name, vectors).fit(context)
    },
  })
}

/** Principal components: the directions of a whitening, each of unit length, so that large variance stays large. */
function withoutScale({ mean, directions }: Whitening): Whitening {
  const units = matrix(directions.rows, directions.dim, directions.data.slice())
  for (let j = 0; j < units.rows; j++) normalize(row(units, j))
  return { mean, directions: units }
}

/** Gaussian directions, which keep angles about as they are (Johnson & Lindenstrauss 1984). */
function randomProjection(from: number, count: number, seed: number): Whitening {
  const source = random(seed)
  const data = Float32Array.from({ length: count * from }, () => source.normal() / Math.sqrt(count))
  return { mean: new Float32Array(from), directions: matrix(count, from, data) }
}
