import { convMf } from './convmf.js'
import type { Family } from './family.js'
import { gru } from './gru.js'
import { gruText } from './gru-text.js'
import { lightgcn, lightgcnFlow, lightgcnText } from './lightgcn.js'
import { maml } from './maml.js'
import { bprFactorization, softmaxFactorization, warpFactorization } from './matrix-factorization.js'
import { neumf } from './neumf.js'
import { recommenderNet } from './recommendernet.js'
import { sasrec } from './sasrec.js'
import { sasrecLong } from './sasrec-long.js'

/** Every family, by the name that a worker is told. */
export const FAMILIES = {
  bpr: bprFactorization,
  'mf-warp': warpFactorization,
  'mf-softmax': softmaxFactorization,
  lightgcn,
  'lightgcn-text': lightgcnText,
  'lightgcn-flow': lightgcnFlow,
  neumf,
  recommendernet: recommenderNet,
  sasrec,
  'sasrec-long': sasrecLong,
  gru,
  maml,
  convmf: convMf,
  'gru-text': gruText,
} as const satisfies { readonly [name: string]: Family }

export type FamilyName = keyof typeof FAMILIES
