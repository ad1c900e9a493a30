/** Words and numbers as people read them on a terminal. Pure functions, but for the look at NO_COLOR. */

/**
 * Text of a catalogue made safe to print on one line: line breaks become spaces; escape sequences, other control
 * characters and marks that turn the writing direction are taken out.
 */
export function oneLine(text: string): string {
  return text
    .replace(/[\r\n\t\v\f\u0085\u2028\u2029]+/g, ' ')
    .replace(/[\p{Cc}\u061C\u200E\u200F\u202A-\u202E\u2066-\u2069]/gu, '')
    .replace(/ {2,}/g, ' ')
    .trim()
}

const WIDE =
  /[\u1100-\u115F\u2E80-\u303E\u3041-\uA4CF\uAC00-\uD7A3\uF900-\uFAFF\uFE30-\uFE6F\uFF00-\uFF60\uFFE0-\uFFE6\u{1F300}-\u{1FAFF}\u{20000}-\u{3FFFD}]/u
const ZERO = /[\p{Mn}\p{Me}\p{Cf}]/u

/** Columns that a text takes on a terminal: two for East Asian letters and emoji, none for combining marks. */
export function displayWidth(text: string): number {
  let width = 0
  for (const character of text) width += ZERO.test(character) ? 0 : WIDE.test(character) ? 2 : 1
  return width
}

/** `text` cut to `width` columns, the last being … where something was cut. */
export function ellipsis(text: string, width: number): string {
  if (displayWidth(text) <= width) return text
  let kept = ''
  let used = 0
  for (const character of text) {
    const wide = displayWidth(character)
    if (used + wide > width - 1) break
    kept += character
    used += wide
  }
  return `${kept.trimEnd()}…`
}

/** 12345.6 -> "12,345.6" */
export function figure(value: number, digits = 0): string {
  return value.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits })
}

/** One noun in the right number: plural(1, 'item') -> "1 item", plural(2, 'item') -> "2 items". */
export function plural(count: number, noun: string): string {
  return `${figure(count)} ${noun}${count === 1 ? '' : 's'}`
}

/** Seconds as "0.4 s", "12 s", "3 min 20 s", "2 h 5 min". */
export function duration(seconds: number): string {
  if (seconds < 9.95) return `${figure(Math.max(0, seconds), 1)} s`
  const whole = Math.round(seconds)
  if (whole < 60) return `${whole} s`
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`
}

/** 123456 -> "121 KiB" */
export function bytes(count: number): string {
  const units = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB']
  let value = count
  let unit = 0
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024
    unit++
  }
  return `${figure(value, unit === 0 || value >= 100 ? 0 : 1)} ${units[unit]}`
}

/** Share of 1 as "12 %". */
export function percent(share: number): string {
  return `${figure(100 * share)} %`
}

/** Whether standard output takes ANSI styles: a terminal, and nobody said NO_COLOR (https://no-color.org). */
function hasStyle(): boolean {
  const refused = process.env.NO_COLOR !== undefined && process.env.NO_COLOR !== ''
  return process.stdout.isTTY === true && !refused && process.env.TERM !== 'dumb'
}

export function bold(text: string): string {
  return hasStyle() ? `\u001B[1m${text}\u001B[22m` : text
}

/** A word of a command that people may copy: quoted where a POSIX shell would read something else in it. */
export function shellWord(text: string): string {
  if (/^[\w@%+=:,./-]+$/.test(text)) return text
  return /["$`\\!]/.test(text) ? `'${text.replaceAll("'", "'\\''")}'` : `"${text}"`
}

/** Words of `text` in lines of at most `width` columns. */
export function wrap(text: string, width: number): string {
  const lines: string[] = []
  for (const word of oneLine(text).split(' ')) {
    const last = lines.at(-1)
    if (last !== undefined && displayWidth(last) + 1 + displayWidth(word) <= width) {
      lines[lines.length - 1] = `${last} ${word}`
    } else {
      lines.push(word)
    }
  }
  return lines.join('\n')
}
