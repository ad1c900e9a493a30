import type { Value } from './graph.js'
import type { Ops } from './ops.js'
import { sizeOf } from './ops-shapes.js'

/** What one step of the recurrence leaves for the way back. All [R, D]. */
interface Step {
  /** [R, 1] 1 where the event goes on with the history of the one before it. */
  readonly goesOn: Value
  /** The state that the step began from. */
  readonly before: Value
  readonly reset: Value
  readonly update: Value
  readonly fresh: Value
  /** h U_n + c_n, before the reset gate. */
  readonly recalled: Value
}

/**
 * A gated recurrent layer (Cho et al. 2014, arXiv:1406.1078; gates in PyTorch's order: reset, update, new), its events unrolled.
 * The gradient is written out (back through time), because then the weights' is one product over all events and no slice
 * of a gradient is ever padded.
 * @param input [R, L, 3D] x W + b of each event @param segments [R, L] (int32) which history an event belongs to
 * @param weight [D, 3D] U @param bias [3D] c
 * @returns [R, L, D] the state after each event; it is nothing before the first event of a history
 */
export function gruLayer(ops: Ops, input: Value, segments: Value, weight: Value, bias: Value): Value {
  const [rows, length] = [sizeOf(input, 0), sizeOf(input, 1)]
  const dim = sizeOf(weight, 0)
  const inputs = timeSteps(ops, input)
  const histories = ops.cast(segments, 'float32')
  const columns = Array.from({ length }, (_, t) => ops.slice(histories, 1, t, t + 1))
  const steps: Step[] = []
  const states: Value[] = []
  for (let t = 0; t < length; t++) {
    const same = t === 0 ? undefined : ops.cast(ops.equal(columns[t], columns[t - 1]), 'float32')
    const goesOn = same ?? ops.zeros([rows, 1])
    const before = t === 0 ? ops.zeros([rows, dim]) : ops.mul(states[t - 1], goesOn)
    const carried = ops.add(ops.matmul(before, weight), bias)
    const part = (x: Value, from: number, to: number) => ops.slice(x, 1, from * dim, to * dim)
    const gates = ops.sigmoid(ops.add(part(inputs[t], 0, 2), part(carried, 0, 2)))
    const [reset, update, recalled] = [part(gates, 0, 1), part(gates, 1, 2), part(carried, 2, 3)]
    const fresh = ops.tanh(ops.add(part(inputs[t], 2, 3), ops.mul(reset, recalled)))
    states.push(ops.add(fresh, ops.mul(update, ops.sub(before, fresh))))
    steps.push({ goesOn, before, reset, update, fresh, recalled })
  }
  const result = ops.transpose(inTime(ops, states), [1, 0, 2])
  ops.graph.derivatives.set(result, {
    inputs: [input, weight, bias],
    backward: (back, gradient) => backThroughTime(back, steps, timeSteps(back, gradient), weight),
  })
  return result
}

/** Of input, weight and bias. @param arriving [R, D] what comes back to each state from outside */
function backThroughTime(
  ops: Ops,
  steps: readonly Step[],
  arriving: readonly Value[],
  weight: Value,
): Value[] {
  const inputs: Value[] = []
  const carries: Value[] = []
  let later: Value | undefined
  for (let t = steps.length - 1; t >= 0; t--) {
    const { goesOn, before, reset, update, fresh, recalled } = steps[t]
    const d = later === undefined ? arriving[t] : ops.add(arriving[t], later)
    // sigmoid' = s (1 - s), tanh' = 1 - n^2
    const dFresh = ops.mul(ops.mul(d, ops.sub(1, update)), ops.sub(1, ops.mul(fresh, fresh)))
    const dUpdate = ops.mul(ops.mul(d, ops.sub(before, fresh)), ops.mul(update, ops.sub(1, update)))
    const dReset = ops.mul(ops.mul(dFresh, recalled), ops.mul(reset, ops.sub(1, reset)))
    const carried = ops.concat([dReset, dUpdate, ops.mul(dFresh, reset)], 1)
    inputs.unshift(ops.concat([dReset, dUpdate, dFresh], 1))
    carries.unshift(carried)
    const dBefore = ops.add(ops.mul(d, update), ops.matmul(carried, weight, { transposeB: true }))
    later = ops.mul(dBefore, goesOn)
  }
  const all = ops.concat(carries, 0)
  const befores = ops.concat(
    steps.map(({ before }) => before),
    0,
  )
  return [
    ops.transpose(inTime(ops, inputs), [1, 0, 2]),
    ops.matmul(befores, all, { transposeA: true }),
    ops.reduceSum(all, [0]),
  ]
}

/** The L slices [R, n] of [R, L, n]. */
function timeSteps(ops: Ops, x: Value): Value[] {
  const [rows, length, size] = [sizeOf(x, 0), sizeOf(x, 1), sizeOf(x, 2)]
  const byTime = ops.transpose(x, [1, 0, 2])
  return Array.from({ length }, (_, t) => ops.reshape(ops.slice(byTime, 0, t, t + 1), [rows, size]))
}

/** [L, R, n] from L times [R, n]. */
function inTime(ops: Ops, steps: readonly Value[]): Value {
  const [rows, size] = [sizeOf(steps[0], 0), sizeOf(steps[0], 1)]
  return ops.concat(
    steps.map((step) => ops.reshape(step, [1, rows, size])),
    0,
  )
}
