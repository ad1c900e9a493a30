import type { Command } from 'commander'
import type { Boost, RuleOptions } from '../index.js'
import { type AskFlags, addAskFlags, anyNumber, assignment, idList, jsonObject } from './options.js'

/** Flags that say what a list of recommendations should be like. */
export interface RuleFlags extends AskFlags {
  readonly diversity?: number
  readonly atMost?: Record<string, string>
  readonly boost?: Boost[]
  readonly pin?: string[]
  readonly block?: string[]
  readonly minScore?: number
  readonly novelty?: number
  readonly includeSeen?: boolean
  readonly reasons?: boolean
}

export function addRuleFlags(command: Command): Command {
  return addAskFlags(command)
    .option('--diversity <x>', 'from 0, the best, to 1, items unlike each other (default: 0)', anyNumber)
    .option(
      '--at-most <attribute=n>',
      'at most n items per value of an attribute; may be repeated',
      assignment,
    )
    .option(
      '--boost <json>',
      'lift items, e.g. {"filter": {"language": "French"}, "by": 1}; may be repeated',
      boost,
    )
    .option('--pin <ids>', 'items that come first, in this order, separated by commas', idList)
    .option('--block <ids>', 'items that never come, separated by commas', idList)
    .option('--min-score <x>', 'nothing that scores lower', anyNumber)
    .option('--novelty <x>', 'from 0 on: the more, the less popular (default: 0)', anyNumber)
    .option('--include-seen', 'do not leave out what the person has')
    .option('--reasons', 'say why, for every item')
}

/** The flags as options of the library. */
export function ruleOptions(flags: RuleFlags): Partial<RuleOptions> {
  const { block, boost: boosts, diversity, filter, k, minScore, novelty, pin, reasons } = flags
  const atMostPer = Object.entries(flags.atMost ?? {}).map(([attribute, n]) => ({ attribute, n: Number(n) }))
  const excludeSeen = flags.includeSeen !== true
  return {
    k,
    filter,
    diversity,
    atMostPer,
    boost: boosts,
    pin,
    block,
    minScore,
    novelty,
    excludeSeen,
    reasons,
  }
}

function boost(text: string, previous: Boost[] = []): Boost[] {
  return [...previous, jsonObject(text) as Boost]
}
