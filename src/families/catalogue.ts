import type { Family } from './family.js'
import { lightgcn, lightgcnFlow, lightgcnText } from './lightgcn.js'
import { softmaxFactorization, warpFactorization } from './matrix-factorization.js'
import { neumf } from './neumf.js'
import { recommenderNet } from './recommendernet.js'

/** Every family, by the name that a worker is told. */
export const FAMILIES = {
  'mf-warp': warpFactorization,
  'mf-softmax': softmaxFactorization,
  lightgcn,
  'lightgcn-text': lightgcnText,
  'lightgcn-flow': lightgcnFlow,
  neumf,
  recommendernet: recommenderNet,
} as const satisfies { readonly [name: string]: Family }

export type FamilyName = keyof typeof FAMILIES
