import { personEncoder } from '../adapter/index.js'
import { sequenceFamily } from './sequence.js'

/*
 * SASRec with a longer memory that feels time, after TiSASRec (Li, Wang & McAuley 2020, WSDM): attention between events i and
 * j gains a learned number for how far apart in time they are,
 *   softmax(q_i k_j / sqrt(d) + B_h[bucket(|t_i - t_j|)])         B [buckets, heads] in each layer, from zero
 * with intervals in powers of two (src/adapter/intervals.ts), where the paper embeds them linearly, clipped by person: one table serves
 * a minute and a decade. 200 events are read at once, so attention costs forty times that of 32, for each row.
 *
 * Good where times are dates: in the tables of docs/families.md the best family that learns on one catalogue alone (.083 and
 * .087; EASE .066 and .075; SASRec's .079 on the first is within reach of another seed), though hardly anybody there has more
 * than 32 events. Without times it is SASRec with a longer row.
 */
export const sasrecLong = sequenceFamily(
  'sasrec-long',
  { read: personEncoder, readsTimes: true },
  { length: 200, batch: 1600 },
)
