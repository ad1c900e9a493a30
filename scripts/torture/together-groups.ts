import type { Item } from '../../src/types.js'

export const WRITERS = 4
export const READERS = 4
export const GROUPS = 40
export const GROUP_SIZE = 5

const THINGS = ['guitar', 'kettle', 'hedge', 'novel', 'lantern']

/** What writers write: all items of a group carry one stamp, always. */
export function groupItem(group: number, place: number, stamp: number): Item {
  return {
    id: `group-${group}-${place}`,
    title: `${THINGS[place]} string ${group}`,
    description: `A ${THINGS[(place + stamp) % THINGS.length]} that is number ${stamp}.`,
    attributes: { group, stamp },
  }
}

/** The last line of a process that took part. */
export interface TogetherReport {
  operations: number
  torn: number
  busy: number
  errors: string[]
  /** By group: the last stamp whose call returned. */
  stamps: { [group: number]: number }
}
