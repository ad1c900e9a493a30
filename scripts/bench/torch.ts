import { fileURLToPath } from 'node:url'
import { trainingStep } from '../../src/onnx/optimizer.js'
import { initialState } from '../../src/onnx/optimizer-session.js'
import { TorchProcess } from './torch-process.js'
import type { TrainingCase } from './train-models.js'

const SCRIPT = fileURLToPath(new URL('../../../scripts/bench/train-torch.py', import.meta.url))

/** The same step in PyTorch. @param folder empty; weights and batch are handed over there */
export function startTorch(one: TrainingCase, folder: string, threads: number): Promise<TorchProcess> {
  const { model, batch, twin } = one
  const { parameters, batch: specs } = trainingStep(model)
  const state = initialState(parameters, 1)
  const { constants, ...sizes } = twin
  const tensors = [
    ...parameters.map(({ name, shape }) => ({ name, shape, data: state[`w:${name}`] })),
    ...specs.map(({ name, shape }) => ({ name, shape, data: Float32Array.from(batch[name], Number) })),
    ...Object.entries(constants).map(([name, constant]) => ({ name, ...constant })),
  ]
  const facts = { ...sizes, threads, parameters: parameters.map(({ name }) => name) }
  return TorchProcess.start(SCRIPT, folder, tensors, facts)
}
