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
  const parts: string[] = []
  let at = 0
  while (at < text.length) {
    const char = text[at]
    if (char === "'" || char === '"') {
      const string = pythonString(text, at)
      if (string === undefined) return undefined
      parts.push(JSON.stringify(string.value))
      at = string.end
    } else if (/[A-Z]/.test(char)) {
      const word = /^[A-Za-z]{1,5}/.exec(text.slice(at, at + 6))?.[0] ?? ''
      if (!Object.hasOwn(WORDS, word)) return undefined
      parts.push(WORDS[word])
      at += word.length
    } else {
      parts.push(char)
      at++
    }
  }
  return parts.join('')
}

function pythonString(text: string, start: number): { value: string; end: number } | undefined {
  const quote = text[start]
  const parts: string[] = []
  let from = start + 1
  for (let at = from; at < text.length; at++) {
    const char = text[at]
    if (char === quote) {
      parts.push(text.slice(from, at))
      return { value: parts.join(''), end: at + 1 }
    }
    if (char !== '\\') continue
    parts.push(text.slice(from, at))
    const letter = text[at + 1] ?? ''
    const digits = { x: 2, u: 4, U: 8 }[letter]
    if (digits !== undefined) {
      const hex = text.slice(at + 2, at + 2 + digits)
      const code = /^[0-9a-fA-F]+$/.test(hex) && hex.length === digits ? Number.parseInt(hex, 16) : -1
      if (code < 0 || code > 0x10ffff) return undefined
      parts.push(String.fromCodePoint(code))
      at += 1 + digits
    } else if (Object.hasOwn(ESCAPES, letter)) {
      parts.push(ESCAPES[letter])
      at += 1
    } else {
      return undefined
    }
    from = at + 1
  }
  return undefined
}
