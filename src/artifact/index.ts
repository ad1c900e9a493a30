/** Versioned folders of files: written under another name, verified, published in one step, checked when read. */
export { copyFolder, publishNew } from './copy.js'
export { errorCode, hashFile, makeFolder, syncPath, writeError } from './files.js'
export {
  damaged,
  type JsonObject,
  type JsonValue,
  MANIFEST_NAME,
  type Manifest,
  type ManifestFile,
} from './manifest.js'
export { publishFolder } from './publish.js'
export { checkPayload, readFolder, readManifest, readPayload } from './read.js'
export { abandonedIn, removeTemporary, temporarySibling } from './temporary.js'
