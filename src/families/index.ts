/** Model families that are compared with each other: one loop, one small file each. */
export { FAMILIES, type FamilyName } from './catalogue.js'
export type { WordTexts } from './family.js'
export type { EpochRecord } from './loop.js'
export { FAMILY_OPTIONS, type FamilyOptions } from './options.js'
export {
  type FamilyRecipeOptions,
  type FamilyTrial,
  familyRecipe,
  type KnownVectors,
  type StartVectors,
} from './recipe.js'
export { meanOfWordVectors, type WordSource, wordRows, wordsOfFile } from './word-vectors.js'
