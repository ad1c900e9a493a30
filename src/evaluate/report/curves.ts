import { library, svg } from './plots.js'

/** One point of a curve. */
export interface CurvePoint {
  readonly curve: string
  readonly x: number
  readonly y: number
}

/** Curves over a common axis, as SVG text. */
export async function curvesPlot(
  points: readonly CurvePoint[],
  labels: { readonly x: string; readonly y: string },
): Promise<string> {
  const { plot, document } = await library()
  const xs = points.map(({ x }) => x)
  // Epochs and the like are whole numbers: no ticks between them.
  const ticks = Math.max(1, Math.min(10, Math.max(...xs) - Math.min(...xs)))
  return svg(
    plot.plot({
      document,
      width: 760,
      height: 320,
      marginLeft: 60,
      x: { label: labels.x, grid: true, ticks },
      y: { label: labels.y, grid: true },
      color: { legend: true },
      marks: [
        plot.line(points, { x: 'x', y: 'y', stroke: 'curve', strokeWidth: 2 }),
        plot.dot(points, { x: 'x', y: 'y', stroke: 'curve', r: 2.5 }),
      ],
    }),
  )
}
