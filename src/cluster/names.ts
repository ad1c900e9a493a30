/** Words in more of the items than this say little about any cluster, in whatever language. */
const COMMON_SHARE = 0.25
/** In fewer items than this no word is common. */
const COMMON_ITEMS = 20
/** So many times as often as in the whole catalogue a word has to occur in a cluster. */
const LEAST_LIFT = 2
/** Words that a name is made of, and words that are told of a cluster. */
const IN_NAME = 3
const TOLD = 10

/** Function words of English that common lists of stop words lack, the one that callers use among them: he, but not she. */
const SILENT = new Set(
  (
    'she hers herself itself themselves theirs whose whom when why not no nor own so just will shall may does doing done ' +
    'having until against during above below down off again further once few yet ever always two upon without within ' +
    'along among whether either neither though although every'
  ).split(' '),
)

/** Counts in how many items of each cluster each word occurs. */
export class WordCounts {
  private readonly inCluster: Map<string, number>[]
  private readonly inAll = new Map<string, number>()
  private readonly items: number[]

  constructor(clusters: number) {
    this.inCluster = Array.from({ length: clusters }, () => new Map<string, number>())
    this.items = this.inCluster.map(() => 0)
  }

  /** @param words of one item, in lower case and without stop words; each counts once */
  add(cluster: number, words: Iterable<string>): void {
    this.items[cluster]++
    for (const word of new Set(words)) {
      if (!/\p{L}{2}/u.test(word) || /\p{N}/u.test(word) || SILENT.has(word)) continue
      for (const counts of [this.inCluster[cluster], this.inAll]) {
        counts.set(word, (counts.get(word) ?? 0) + 1)
      }
    }
  }

  /**
   * The most telling words of each cluster, by class-based TF-IDF (Grootendorst 2022, arXiv:2203.05794): how often a
   * word occurs in the cluster, times log(1 + A / f), f being how often it occurs in all of them and A the mean number
   * of words in a cluster. Occurrences are items, so that no long text outweighs the others. Words that many items have,
   * or that the cluster has hardly more often than all, come after the others.
   */
  telling(most = TOLD): string[][] {
    const total = [...this.inAll.values()].reduce((sum, count) => sum + count, 0)
    const average = total / Math.max(1, this.inCluster.length)
    const items = this.items.reduce((sum, count) => sum + count, 0)
    const common = Math.max(COMMON_ITEMS, COMMON_SHARE * items)
    return this.inCluster.map((counts, cluster) => {
      const weighed = [...counts].map(([word, count]) => {
        const everywhere = this.inAll.get(word) as number
        const lift = (count * items) / (everywhere * this.items[cluster])
        const isCommon = everywhere > common || lift < LEAST_LIFT
        return { word, weight: count * Math.log(1 + average / everywhere), isCommon }
      })
      weighed.sort(
        (a, b) =>
          Number(a.isCommon) - Number(b.isCommon) || b.weight - a.weight || (a.word < b.word ? -1 : 1),
      )
      return unlike(weighed.map(({ word }) => word).slice(0, 4 * most)).slice(0, most)
    })
  }
}

/** Without the words that are another form of one before: guitar, guitars. */
function unlike(words: readonly string[]): string[] {
  const kept: string[] = []
  for (const word of words) if (!kept.some((one) => isForm(one, word) || isForm(word, one))) kept.push(word)
  return kept
}

function isForm(word: string, longer: string): boolean {
  return longer.startsWith(word) && longer.length - word.length <= 2
}

/** A name for each cluster, no two alike: its first words, and as many more as it takes, or else a number. */
export function clusterNames(telling: readonly (readonly string[])[]): string[] {
  const taken = new Set<string>()
  return telling.map((words, cluster) => {
    for (let length = IN_NAME; length <= Math.max(IN_NAME, words.length); length++) {
      const name = words.slice(0, length).join(' ')
      if (name !== '' && !taken.has(name)) {
        taken.add(name)
        return name
      }
    }
    const name = `${words.slice(0, IN_NAME).join(' ')} ${cluster + 1}`.trim()
    taken.add(name)
    return name
  })
}
