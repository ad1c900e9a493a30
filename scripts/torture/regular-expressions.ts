import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** A regular expression as it stands in a source file. */
export interface Found {
  readonly place: string
  readonly source: string
  readonly flags: string
}

/** Every regular expression written in the TypeScript files below `folder`. */
export function regularExpressions(folder: string): Found[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) return regularExpressions(path)
    return entry.name.endsWith('.ts') ? inText(readFileSync(path, 'utf8'), path) : []
  })
}

/** Behind these a slash begins an expression; behind a name, a number or a closing bracket it divides. */
const BEFORE = /(?:[=(,:[!&|?{};>+]|\breturn|\bcase|\btypeof|^)\s*$/

/** Walks over comments, strings and templates: a slash in those is none. */
export function inText(text: string, path: string): Found[] {
  const found: Found[] = []
  /** Depth of braces at which each open `${` ends. */
  const templates: number[] = []
  let braces = 0
  let at = text.startsWith('#!') ? text.indexOf('\n') : 0
  const skipTemplate = () => {
    for (; at < text.length && text[at] !== '`'; at++) {
      if (text[at] === '\\') at++
      else if (text.startsWith('${', at)) {
        templates.push(braces)
        at += 2
        return
      }
    }
    at++
  }
  while (at < text.length) {
    const c = text[at]
    if (text.startsWith('//', at)) at = endOf(text, '\n', at)
    else if (text.startsWith('/*', at)) at = endOf(text, '*/', at) + 1
    else if (c === "'" || c === '"') {
      for (at++; at < text.length && text[at] !== c; at++) if (text[at] === '\\') at++
      at++
    } else if (c === '`') {
      at++
      skipTemplate()
    } else if (c === '}' && templates.at(-1) === braces) {
      templates.pop()
      at++
      skipTemplate()
    } else if (c === '/' && BEFORE.test(text.slice(Math.max(0, at - 40), at))) {
      const { source, flags, end } = expression(text, at)
      const line = text.slice(0, at).split('\n').length
      found.push({ place: `${path}:${line}`, source, flags })
      at = end
    } else {
      if (c === '{') braces++
      if (c === '}') braces--
      at++
    }
  }
  return found
}

function endOf(text: string, mark: string, from: number): number {
  const end = text.indexOf(mark, from)
  return end < 0 ? text.length : end + 1
}

function expression(text: string, start: number): { source: string; flags: string; end: number } {
  let inClass = false
  let end = start + 1
  for (; inClass || text[end] !== '/'; end++) {
    if (end >= text.length || text[end] === '\n') throw new Error(`No end: ${text.slice(start, start + 60)}`)
    if (text[end] === '\\') end++
    else if (text[end] === '[') inClass = true
    else if (text[end] === ']') inClass = false
  }
  const flags = /^[a-z]*/.exec(text.slice(end + 1, end + 12))?.[0] ?? ''
  return { source: text.slice(start + 1, end), flags, end: end + 1 + flags.length }
}

/** Places where an expression is built while the program runs: nobody can try those beforehand. */
export function builtExpressions(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) return builtExpressions(path)
    return entry.name.endsWith('.ts') && /\bRegExp\(/.test(readFileSync(path, 'utf8')) ? [path] : []
  })
}

/** Characters that are tried besides those that the expression names. */
const ALWAYS = ['0', 'a', 'A', ' ', '\t', '\n', '-', '.', '"', '\u0000', 'é']

/**
 * Inputs that expressions are slow on: whatever they can match, over and over, and then something that they cannot.
 * One or two characters are repeated; super-linear expressions of this kind show with those.
 */
export function* worstInputs(source: string, length: number): Generator<string> {
  const own = new Set(source.replace(/\\[dwsbDWSBp]|\{[^}]*\}/g, '').replace(/[\\^$*+?()|[\]]/g, ''))
  const alphabet = [...new Set([...own, ...ALWAYS])].slice(0, 24)
  for (const start of ['', ...[...own].slice(0, 6)]) {
    for (const one of alphabet) {
      for (const end of ['', '!', '\u0001']) yield start + one.repeat(length) + end
    }
  }
  for (const one of [...own, '0', ' ', 'a'].slice(0, 14)) {
    for (const other of [...own, '0', ' ', 'a'].slice(0, 14)) {
      if (one === other) continue
      for (const end of ['', '\u0001']) yield (one + other).repeat(length / 2) + end
    }
  }
}
