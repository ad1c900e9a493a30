import { table } from '../../src/cli/table.js'
import type { BenchTable, Ceilings, Cell } from './part.js'

/** Four significant digits, without an exponent where a person would write none. */
export function figure(value: number): string {
  if (!Number.isFinite(value)) return String(value)
  if (Math.abs(value) >= 1000) return Math.round(value).toLocaleString('en-US')
  if (Number.isInteger(value)) return String(value)
  return String(Number(value.toPrecision(Math.abs(value) >= 100 ? 4 : 3)))
}

export function cellText(cell: Cell): string {
  if (cell === undefined) return ''
  return typeof cell === 'number' ? figure(cell) : cell
}

export const heads = ({ columns }: BenchTable): string[] =>
  columns.map(({ name, unit }) => (unit === undefined ? name : `${name}, ${unit}`))

/** A table for the terminal, its notes below it. */
export function printed(one: BenchTable): string {
  const numeric = one.columns.map((_, i) => one.rows.some((row) => typeof row[i] === 'number'))
  const columns = heads(one).map((head, i) => ({ head, align: numeric[i] ? 'right' : 'left' }) as const)
  const body = table(
    columns,
    one.rows.map((row) => row.map(cellText)),
  )
  return [one.title, '', body, ...one.notes.map((note) => `  ${note}`)].join('\n')
}

export function ceilingsTable(ceilings: Ceilings, threads: number): BenchTable {
  return {
    title: `This machine through ONNX Runtime, ${threads} thread${threads === 1 ? '' : 's'}`,
    columns: [{ name: 'ceiling' }, { name: 'figure' }, { name: 'unit' }],
    rows: [
      ['fp32 matrix product', ceilings.fp32Gflops, 'GFLOP/s'],
      ['int8 matrix product, bytes to sums (MatMulInteger)', ceilings.int8Gops, 'GOP/s'],
      ['int8 matrix product, fp32 to fp32 (DynamicQuantizeMatMul)', ceilings.int8DynamicGops, 'GOP/s'],
      ['memory, reading and writing', ceilings.memoryGBs, 'GB/s'],
    ],
    notes: [],
  }
}
