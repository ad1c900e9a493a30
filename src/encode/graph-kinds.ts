/** What graphs of an encoder there are. Every start reads this; what builds them is loaded only to build one. */

/** Raised whenever the same weights would give another graph: cached graphs and stored vectors are then stale. */
export const GRAPH_VERSION = 3

/**
 * How the states of a text's tokens become one vector. mean: of the last layer's; cls: the last layer's first; last-two: the
 * mean of the last two layers', for encoders that were never trained to sum up a text and whose last layer is about the
 * tokens that were hidden from it.
 */
export const POOLINGS = ['mean', 'cls', 'last-two'] as const
export type Pooling = (typeof POOLINGS)[number]

/**
 * fp32: every device. fp16: GPUs; half the memory and, where the hardware has it, twice the speed. int8: dynamic 8-bit
 * products, CPU only, exact where the processor multiplies bytes into 32 bits (VNNI, dot product). int8-7bit: the same
 * with weights of 7 bits, for processors that saturate.
 */
export type GraphVariant = 'fp32' | 'fp16' | 'int8' | 'int8-7bit'

/**
 * Whether texts of one batch may differ in length. The 8-bit graphs have no mask: ONNX Runtime then computes attention
 * block by block (3 to 5 % less time from 128 tokens on), and no padding has a say in the scales of a batch.
 */
export const takesPadding = (variant: GraphVariant) => variant === 'fp32' || variant === 'fp16'
