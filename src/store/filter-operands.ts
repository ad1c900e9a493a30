import { parsePeriod } from '../dates.js'
import { TextrecError } from '../errors.js'
import { show } from '../options.js'
import type { Value } from './sqlite.js'

/** What a filter compares values with: operands and the types they have. */

/** The types of stored values: what a refusal calls them, and how an operand of that type is written. */
export const TYPES: { readonly [kind: string]: { readonly is: string; readonly written: string } } = {
  n: { is: 'numbers', written: 'a number, without quotes' },
  b: { is: 'true or false', written: 'true or false, without quotes' },
  d: { is: 'dates', written: "a date: '1980', '1980-05' or '1980-05-17'" },
  t: { is: 'texts', written: 'a text' },
}

/** What an operand compares with: stored values of one kind. */
export interface Operand {
  readonly kind: string
  readonly from: Value
  /** A written date stands for all from `from` until just before `to`; everything else for itself, and this is `from`. */
  readonly to: Value
}

export const COMPARISONS: { readonly [operator: string]: string } = {
  $gt: '>',
  $gte: '>=',
  $lt: '<',
  $lte: '<=',
}

/** After a period is from its end on, and up to it until its end. */
export function limitOf(operator: string, { from, to }: Operand): { comparison: string; value: Value } {
  if (from !== to && operator === '$gt') return { comparison: '>=', value: to }
  if (from !== to && operator === '$lte') return { comparison: '<', value: to }
  return { comparison: COMPARISONS[operator], value: from }
}

/** The stored values that an operand compares with, by their kind. */
export function typed(operand: unknown, path: string): Operand[] {
  const one = (kind: string, value: Value): Operand => ({ kind, from: value, to: value })
  if (typeof operand === 'number' && Number.isFinite(operand)) return [one('n', operand)]
  if (typeof operand === 'boolean') return [one('b', operand ? 1 : 0)]
  if (operand instanceof Date && !Number.isNaN(operand.getTime())) return [one('d', operand.getTime())]
  if (typeof operand === 'string') {
    const period = parsePeriod(operand)
    return period === undefined ? [one('t', operand)] : [one('t', operand), { kind: 'd', ...period }]
  }
  if (operand === null || operand === undefined) {
    refuse(path, `is ${operand}`, 'To ask for a missing attribute, write { $exists: false }.')
  }
  if (Array.isArray(operand))
    refuse(path, 'is an array', 'To ask for any of several values, write { $in: [...] }.')
  refuse(path, `is ${show(operand)}`, 'It must be a text, a finite number, a boolean or a date.')
}

export function list(operand: unknown, path: string): readonly unknown[] {
  if (!Array.isArray(operand)) refuse(path, `is ${show(operand)}`, 'It must be an array of values.')
  return operand
}

/** @param path the place in the filter @throws OPTION_INVALID always */
export function refuse(path: string, fact: string, remedy: string): never {
  throw new TextrecError('OPTION_INVALID', `${path} ${fact}.`, remedy)
}
