/** Text to vectors: pretrained BERT-family encoders, run by ONNX Runtime in a worker thread. */

export { defaultCacheDirectory } from './cache-directory.js'
export { type EmbedOptions, type EmbedReport, embedTexts, lookupTexts } from './embed-texts.js'
export {
  type EncodedTexts,
  type EncodeOptions,
  Encoder,
  type OpenEncoderOptions,
  openEncoder,
} from './encoder.js'
export { DEFAULT_ENCODER, type KnownModel, knownEncoders } from './known-models.js'
