/** Dates as people and files write them. */

const ISO_DATE =
  /^(\d{4})([-/])(\d{1,2})\2(\d{1,2})(?:[T ](\d{1,2}):(\d{2})(?::(\d{2})(?:\.(\d{1,9}))?)?\s?(Z|UTC|[+-]\d{2}:?\d{2})?)?$/
const AMAZON_DATE = /^(\d{1,2}) (\d{1,2}), (\d{4})$/
const YEAR_OR_MONTH = /^(\d{4})(?:[-/](\d{1,2}))?$/

/**
 * Milliseconds since 1970 of a written date; undefined if `text` has not the form of one, NaN if it has but the
 * date does not exist (30 February, 25 o'clock).
 */
export function parseDate(text: string): number | undefined {
  if (text.length > 40) return undefined
  const iso = ISO_DATE.exec(text)
  if (iso !== null) {
    const [, year, , month, day, hour = '0', minute = '0', second = '0', fraction = '', zone = 'Z'] = iso
    const clock = (Number(hour) * 60 + Number(minute)) * 60 + Number(second)
    if (Number(hour) > 23 || Number(minute) > 59 || Number(second) > 59) return Number.NaN
    const thousandths = Math.trunc(Number(`0.${fraction || '0'}`) * 1000)
    return calendarDay(year, month, day) + clock * 1000 + thousandths - zoneOffset(zone)
  }
  const amazon = AMAZON_DATE.exec(text)
  return amazon === null ? undefined : calendarDay(amazon[3], amazon[1], amazon[2])
}

function calendarDay(year: string, month: string, day: string): number {
  const date = new Date(0)
  date.setUTCFullYear(Number(year), Number(month) - 1, Number(day))
  const exists = date.getUTCMonth() === Number(month) - 1 && date.getUTCDate() === Number(day)
  return exists ? date.getTime() : Number.NaN
}

function zoneOffset(zone: string): number {
  if (zone === 'Z' || zone === 'UTC') return 0
  const minutes = Number(zone.slice(1, 3)) * 60 + Number(zone.slice(-2))
  return minutes > 14 * 60 ? Number.NaN : (zone[0] === '-' ? -1 : 1) * minutes * 60_000
}

/** From `from` until just before `to`, in milliseconds since 1970; a moment where the two are equal. */
export interface Period {
  readonly from: number
  readonly to: number
}

const DAY = 24 * 3600 * 1000

/**
 * What a written date stands for: '1980' and '1980-05' for the whole year or month, '1980-05-17' for the day, one with a
 * time for that moment. UTC where no zone is written. Undefined for what is no date, or none that exists.
 */
export function parsePeriod(text: string): Period | undefined {
  const partial = YEAR_OR_MONTH.exec(text)
  if (partial !== null) {
    const [, year, month] = partial
    if (month !== undefined && !(Number(month) >= 1 && Number(month) <= 12)) return undefined
    const start = (years: number, months: number) => new Date(0).setUTCFullYear(years, months, 1)
    const [y, m] = [Number(year), Number(month ?? 1) - 1]
    return { from: start(y, m), to: month === undefined ? start(y + 1, 0) : start(y, m + 1) }
  }
  const from = /^\d{4}/.test(text) ? (parseDate(text) ?? Number.NaN) : Number.NaN
  if (Number.isNaN(from)) return undefined
  return { from, to: text.includes(':') ? from : from + DAY }
}
