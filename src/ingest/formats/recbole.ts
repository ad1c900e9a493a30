import type { ColumnType } from '../attributes.js'
import type { Layout } from './format.js'

/** RecBole atomic files: each column of the header says its type, 'user_id:token', 'timestamp:float'. */
const COLUMN = /^([^:]+):(token|token_seq|float|float_seq)$/

export function isRecBole(header: readonly string[]): boolean {
  return header.length > 0 && header.every((column) => COLUMN.test(column))
}

export function recBoleLayout(header: readonly string[]): Layout {
  const columns = header.map((column) => COLUMN.exec(column) ?? [column, column, 'token'])
  return {
    names: columns.map(([, name]) => name),
    types: columns.map(([, , type]) => type as ColumnType),
    width: header.length,
  }
}
