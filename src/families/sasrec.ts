import { personEncoder } from '../adapter/index.js'
import { sequenceFamily } from './sequence.js'

/*
 * SASRec (Kang & McAuley 2018, arXiv:1808.09781): a causal transformer over the order of events, the network of the adapter.
 *   x_0     = sqrt(D) e_t + P_t                     e [R * L, D] items, P [L, D] learned places
 *   x_(l+1) = x_l + Attention(norm(x_l)), then + FFN(norm(..))    masked to one history, and to what came before
 *   person  = normalize(norm(x_layers))
 * Trained at every place with a softmax over all items (sequence-network.ts) where the paper draws one negative.
 *
 * Good at what follows what, from few events on: in the table of docs/families.md above EASE (.079 against .066), with text and
 * IDs before IDs alone (.077) and text alone (.072). With text alone (inputs 'text') new items are like all others; IDs alone
 * (inputs 'ids') are the paper's model, and know nothing of an item that nobody took. Beyond L events it forgets.
 */
export const sasrec = sequenceFamily('sasrec', { read: personEncoder, readsTimes: false })
