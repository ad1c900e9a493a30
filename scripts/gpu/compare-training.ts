import { Training } from '../../src/onnx/optimizer-session.js'
import type { Device } from '../../src/types.js'
import { matrixOperations, type TrainingCase } from '../bench/train-models.js'

/** The same steps on two devices. */
export interface TrainingAgreement {
  readonly name: string
  readonly steps: number
  /** The largest difference of the two losses of one step. */
  readonly worst: number
  readonly agrees: boolean
  /** First and last loss on the device. */
  readonly from: number
  readonly to: number
  /** The state between steps lies on the device and was not copied. */
  readonly onDevice: boolean
  readonly examplesPerSecond: number
  /** Of the measured matrix rate. */
  readonly share: number
}

/** Losses of the same step may differ by so much between devices. */
const TOLERANCE = 1e-3
const RATE = 1e-3

/**
 * Takes `steps` steps on the CPU and on the device from the same start, then `timed` more on the device.
 * @param ceiling the device's matrix rate, 10^9 operations a second
 */
export async function compareTraining(
  one: TrainingCase,
  device: Device,
  options: {
    readonly steps: number
    readonly timed: number
    readonly ceiling: number
    readonly threads: number
  },
): Promise<TrainingAgreement> {
  const { steps, timed, ceiling, threads } = options
  const wanted = await lossesOf(one, 'cpu', steps, threads)
  const training = await Training.create(one.model, { device, threads })
  try {
    const losses: number[] = []
    for (let step = 0; step < steps; step++) losses.push((await training.step(one.batch, RATE)).loss)
    const started = performance.now()
    for (let step = 0; step < timed; step++) await training.step(one.batch, RATE)
    const seconds = (performance.now() - started) / 1000 / timed
    const worst = Math.max(...losses.map((loss, i) => Math.abs(loss - wanted[i])))
    const operations = matrixOperations(training.definition.graph)
    return {
      name: one.name,
      steps,
      worst,
      // Not `worst > TOLERANCE`: a loss that is no number agrees with nothing.
      agrees: worst <= TOLERANCE,
      from: losses[0],
      to: losses[losses.length - 1],
      onDevice: training.stateLocations.has('gpu-buffer') && training.stateLocations.size === 1,
      examplesPerSecond: one.examples / seconds,
      share: operations / seconds / 1e9 / ceiling,
    }
  } finally {
    await training.close()
  }
}

async function lossesOf({ model, batch }: TrainingCase, device: Device, steps: number, threads: number) {
  const training = await Training.create(model, { device, threads })
  try {
    const losses: number[] = []
    for (let step = 0; step < steps; step++) losses.push((await training.step(batch, RATE)).loss)
    return losses
  } finally {
    await training.close()
  }
}
