/** What the inputs and outputs of a training step are called. */

/** The names under which one parameter's state enters and leaves a step. */
export const STATE_KINDS = ['w', 'm', 'v'] as const
export const stateName = (kind: (typeof STATE_KINDS)[number], parameter: string): string =>
  `${kind}:${parameter}`
export const nextName = (state: string): string => `next:${state}`

/** The name under which step number `step` of a graph of `unroll` steps is fed a part of its batch. */
export const fedName = (name: string, step: number, unroll: number): string =>
  unroll === 1 ? name : `${name}#${step}`
