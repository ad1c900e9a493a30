/** Files -> validated records in a store, and the validation that library calls share. */
export type { RecordSink } from './batch.js'
export { SYNONYMS } from './fields.js'
export { FORMATS, type Format, type FoundFormat } from './formats/format.js'
export type { FileReport, ImportOptions, ImportReport, ImportSources } from './import.js'
export { isProjectFile, isRejectFile } from './reject-target.js'
export type { Reject } from './rejects.js'
export type { RecordKind } from './rules.js'
export { attributeFromText, validateInteraction, validateItem, validateReview } from './validate.js'
