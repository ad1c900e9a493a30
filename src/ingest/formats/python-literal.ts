const WORDS: { readonly [word: string]: string } = { True: 'true', False: 'false', None: 'null' }
const ESCAPES: { readonly [letter: string]: string } = {
  n: '\n',
  t: '\t',
  r: '\r',
  b: '\b',
  f: '\f',
  v: '\v',
  a: '\x07',
  '\\': '\\',
  "'": "'",
  '"': '"',
}

/**
 * The JSON text of a Python dict written by repr(), as the Amazon metadata of 2014 has one a line; undefined if
 * there is a string without an end or an unknown escape. Whether the rest is sound is for JSON.parse to say.
 */
export function pythonToJson(text: string): string | undefined {
  const parts = new Parts()
  let at = 0
  while (at < text.length) {
    const char = text[at]
    if (char === "'" || char === '"') {
      const string = pythonString(text, at)
      if (string === undefined) return undefined
      parts.add(JSON.stringify(string.value))
      at = string.end
    } else if (/[A-Z]/.test(char)) {
      const word = /^[A-Za-z]{1,5}/.exec(text.slice(at, at + 6))?.[0] ?? ''
      if (!Object.hasOwn(WORDS, word)) return undefined
      parts.add(WORDS[word])
      at += word.length
    } else {
      parts.add(char)
      at++
    }
  }
  return parts.text()
}

/** A text made of many small parts, joined as they come: ten million of them in one list need a gigabyte. */
class Parts {
  private readonly joined: string[] = []
  private recent: string[] = []

  add(part: string): void {
    this.recent.push(part)
    if (this.recent.length === 4096) this.join()
  }

  text(): string {
    this.join()
    return this.joined.join('')
  }

  private join(): void {
    this.joined.push(this.recent.join(''))
    this.recent = []
  }
}

function pythonString(text: string, start: number): { value: string; end: number } | undefined {
  const quote = text[start]
  const parts = new Parts()
  let from = start + 1
  for (let at = from; at < text.length; at++) {
    const char = text[at]
    if (char === quote) {
      parts.add(text.slice(from, at))
      return { value: parts.text(), end: at + 1 }
    }
    if (char !== '\\') continue
    parts.add(text.slice(from, at))
    const letter = text[at + 1] ?? ''
    const digits = { x: 2, u: 4, U: 8 }[letter]
    if (digits !== undefined) {
      const hex = text.slice(at + 2, at + 2 + digits)
      const code = /^[0-9a-fA-F]+$/.test(hex) && hex.length === digits ? Number.parseInt(hex, 16) : -1
      if (code < 0 || code > 0x10ffff) return undefined
      parts.add(String.fromCodePoint(code))
      at += 1 + digits
    } else if (Object.hasOwn(ESCAPES, letter)) {
      parts.add(ESCAPES[letter])
      at += 1
    } else {
      return undefined
    }
    from = at + 1
  }
  return undefined
}
