/** Groups of alike items, and words for them. */
export { type Clustering, type KMeansOptions, kMeans, nearestCentres } from './k-means.js'
export { clusterNames, WordCounts } from './names.js'
