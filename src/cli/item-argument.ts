import type { Command } from 'commander'
import type { NewItem } from '../index.js'
import { readNewItem } from './input.js'
import type { Library } from './shell.js'

/** The three ways to name the item that a question is about. */
export interface ItemFlags {
  readonly text?: string
  readonly itemFile?: string
}

/** @param preposition what the item is to the question: 'like' or 'for' */
export function addItemArgument(command: Command, preposition: 'like' | 'for'): Command {
  return command
    .argument('[item]', 'id of an item; write -- before an id that starts with -')
    .option('--text <text>', `${preposition} an item with this description`)
    .option('--item-file <file>', `${preposition} the item in this JSON file; - is standard input`)
}

/** Ends the command with a usage error unless the item is named in exactly one way. */
export function requireOneItem(command: Command, id: string | undefined, flags: ItemFlags): void {
  const given = [id, flags.text, flags.itemFile].filter((value) => value !== undefined)
  if (given.length === 1) return
  command.error(`error: give one of ITEM, --text and --item-file; ${given.length} were given.`)
}

/** The id of a stored item, or the description of one that is not stored. */
export async function askedItem(
  library: Library,
  id: string | undefined,
  { text, itemFile }: ItemFlags,
): Promise<string | NewItem> {
  if (id !== undefined) return id
  return text === undefined ? readNewItem(library, itemFile as string) : { description: text }
}
