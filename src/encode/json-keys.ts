/**
 * The first key that an object of a JSON text has twice, or undefined. JSON.parse keeps the last one silently,
 * so two readers of one file could see different things. Reports nesting beyond `maxDepth` as well, before
 * JSON.parse recurses into it. Linear in the length of the text; malformed text is left to JSON.parse.
 */
export function jsonProblem(text: string, maxDepth: number): string | undefined {
  const open: (Set<string> | undefined)[] = [] // one set of keys per open object, undefined per open array
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i)
    if (c === OPEN_BRACE || c === OPEN_BRACKET) {
      if (open.length === maxDepth) return `nesting deeper than ${maxDepth}`
      open.push(c === OPEN_BRACE ? new Set() : undefined)
    } else if (c === CLOSE_BRACE || c === CLOSE_BRACKET) {
      open.pop()
    } else if (c === QUOTE) {
      const end = endOfString(text, i)
      if (end === -1) return undefined
      const keys = open.at(-1)
      if (keys !== undefined && isKey(text, end)) {
        const key = decode(text.slice(i, end))
        if (keys.has(key)) return `the key ${JSON.stringify(key.slice(0, 80))} twice`
        keys.add(key)
      }
      i = end - 1
    }
  }
  return undefined
}

/** Whether brackets outside of strings nest deeper than `maxDepth`. @param json UTF-8 */
export function nestsDeeper(json: Uint8Array, maxDepth: number): boolean {
  let depth = 0
  let inString = false
  for (let i = 0; i < json.length; i++) {
    const byte = json[i]
    if (inString) {
      if (byte === BACKSLASH) i++
      else if (byte === QUOTE) inString = false
    } else if (byte === QUOTE) inString = true
    else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) {
      if (++depth > maxDepth) return true
    } else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) depth--
  }
  return false
}

const [QUOTE, BACKSLASH, OPEN_BRACE, CLOSE_BRACE, OPEN_BRACKET, CLOSE_BRACKET] = Buffer.from('"\\{}[]')

/** The position after the closing quote, or -1. */
function endOfString(text: string, start: number): number {
  for (let i = start + 1; i < text.length; i++) {
    const c = text.charCodeAt(i)
    if (c === BACKSLASH) i++
    else if (c === QUOTE) return i + 1
  }
  return -1
}

function isKey(text: string, end: number): boolean {
  let i = end
  while (text[i] === ' ' || text[i] === '\n' || text[i] === '\t' || text[i] === '\r') i++
  return text[i] === ':'
}

/** "a" and "\u0061" are the same key. */
function decode(quoted: string): string {
  if (!quoted.includes('\\')) return quoted.slice(1, -1)
  try {
    return JSON.parse(quoted) as string
  } catch {
    return quoted
  }
}
