/**
 * The stated rules of import: what is taken, what is changed on the way in, what is refused. Each has a test
 * in test/ingest/rules.test.ts.
 *
 * Files
 * - UTF-8, plain or gzip (told by content). A UTF-8 byte order mark is dropped; UTF-16, zip, zstd, xz, bzip2,
 *   Parquet and files whose only line ends are lone CRs are refused whole, with the command that converts them.
 * - Lines end in LF or CRLF. Blank lines are not records and not counted.
 * - A line that is not valid UTF-8, or longer than MAX_LINE_BYTES, is refused; the latter is never held whole.
 * - CSV and TSV: RFC 4180, split by csv-parse. A field that begins with a quote is quoted and may span lines; a
 *   quote elsewhere is an ordinary character, but text between a closing quote and the next delimiter refuses the
 *   record. So do more or fewer fields than the header has. Where a quote is not closed within the file,
 *   MAX_RECORD_LINES and MAX_RECORD_LENGTH characters, the line that opened it is refused and reading goes on
 *   behind that line; after MAX_QUOTE_RECOVERIES of those, all that the open quote covers is one refused record.
 *   MovieLens `::`, RecBole and the Amazon customer reviews TSV have no quoting.
 * - JSON lines: one object a line, of at most MAX_JSON_PARTS values and MAX_JSON_DEPTH levels. Of a key that occurs
 *   twice the last wins. 2014 Amazon metadata (Python
 *   literals) is read too. Whole numbers beyond 2^53 keep all their digits, as text.
 *
 * Fields
 * - Ids are taken exactly as they are: never trimmed, never Unicode-normalised, so NFC and NFD forms are two
 *   ids. Whole numbers become text. Refused: empty, white space around, control characters (NUL too), lone
 *   surrogates, more than MAX_ID_BYTES of UTF-8, fractions, numbers that JSON could not carry exactly.
 * - Texts: HTML entities are decoded once (files only, never library calls; those that end in ';'), CRLF
 *   becomes LF, NUL becomes a space, lone surrogates become U+FFFD, white space around is dropped; an empty
 *   text is no text. More than MAX_TEXT characters: refused. A list of texts is joined by line breaks.
 * - Ratings and values: finite numbers of at most MAX_VALUE in size. 'NaN' and 'Infinity' are refused.
 * - Times: a number below ORDER_LIMIT is a position in the person's history; then come seconds (below 1e11),
 *   milliseconds (1e14) and microseconds (1e17) since 1970. Dates are ISO 8601, 'YYYY/MM/DD' or Amazon's
 *   'MM DD, YYYY'; without a zone they are UTC. Refused: negative times, dates that do not exist, dates before
 *   1970-01-02 03:46:40 (their milliseconds would look like positions). One project holds dates or positions:
 *   what it holds decides, and where it has none yet, what most times in the first 64 KiB of the first file with times
 *   are; records of the other kind are refused.
 * - Helpful votes: 12, '1,234', or Amazon's [helpful, total].
 *
 * Attributes: every other field of the record, under its own name; nested objects by dotted names.
 * - Types are decided value by value. JSON keeps its types. CSV text becomes a number, a boolean, a list (a JSON
 *   array) or text by its form; numbers with a leading zero ('007') or beyond 2^53 stay text. In every format
 *   '$1,299.00' is a number, '9.99' is a number in a field whose name ends in 'price', and an existing ISO date
 *   is a date. RecBole headers (name:float) say the type themselves and so settle it for the whole column.
 * - 'a|b' is a list only where the format says so (MovieLens genres). Arrays of plain values are lists of text;
 *   whatever fits no type is kept as its JSON text. null, '', [] and {} are no attribute.
 * - A library call's attributes are typed like those of a JSON line: the same record gives the same item either way.
 *   Its own fields must have the types of types.ts (a time may be a Date too): the text '5' is no rating there.
 * - '__proto__' as a name refuses the record; 'constructor' and the like are names as any other.
 * - Refused: a name above MAX_ATTRIBUTE_NAME or a text above MAX_ATTRIBUTE_TEXT characters, more than
 *   MAX_ATTRIBUTES attributes, or nesting deeper than MAX_DEPTH.
 */
export const MAX_LINE_BYTES = 16 * 2 ** 20
export const MAX_RECORD_LINES = 10_000
export const MAX_RECORD_LENGTH = 4 * 2 ** 20
export const MAX_QUOTE_RECOVERIES = 16
export const MAX_ID_BYTES = 1024
export const MAX_TEXT = 1_000_000
export const MAX_VALUE = 1e9
export const ORDER_LIMIT = 1e8
export const MAX_ATTRIBUTES = 1000
export const MAX_ATTRIBUTE_NAME = 200
export const MAX_ATTRIBUTE_TEXT = 100_000
export const MAX_DEPTH = 16
export const MAX_JSON_PARTS = 250_000
export const MAX_JSON_DEPTH = 1000

/** The three kinds of records. */
export type RecordKind = 'items' | 'reviews' | 'interactions'

/** Why one record was refused. Thrown inside ingest only: it ends up in a reject file or in RECORD_INVALID. */
export class Refusal extends Error {
  constructor(
    readonly field: string,
    readonly expected: string,
    readonly received: unknown,
  ) {
    super(`${field}: expected ${expected}`)
    this.name = 'Refusal'
  }
}
