import { createHash } from 'node:crypto'
import { type ErrorCode, TextrecError } from '../errors.js'

export type JsonValue = string | number | boolean | null | readonly JsonValue[] | JsonObject
export type JsonObject = { readonly [name: string]: JsonValue }

export interface ManifestFile {
  readonly bytes: number
  /** 64 lower-case hexadecimal digits. */
  readonly sha256: string
}

/** What a published folder holds: its kind, every file with size and hash, and the owner's own fields. */
export interface Manifest {
  readonly format: 1
  readonly kind: string
  readonly files: { readonly [name: string]: ManifestFile }
  readonly fields: JsonObject
}

export const MANIFEST_NAME = 'manifest.json'
/** A manifest is a page of text: anything larger is not one of ours. */
export const MAX_MANIFEST_BYTES = 16 * 2 ** 20

const FORMAT = 1
const SAFE_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/

/** True for a plain file name: no folders, no leading dot, no `..`, no NUL, and not the manifest itself. */
export function isPayloadName(name: string): boolean {
  return SAFE_NAME.test(name) && name !== MANIFEST_NAME
}

/**
 * The bytes of manifest.json: indented JSON in one fixed layout, with the SHA-256 of the rest as its last field.
 * There is exactly one way to write a manifest, so a changed byte anywhere in it shows.
 */
export function serializeManifest(manifest: Manifest): string {
  const { format, kind, files, fields } = manifest
  const body = { format, kind, files, fields }
  const checksum = createHash('sha256').update(JSON.stringify(body)).digest('hex')
  return `${JSON.stringify({ ...body, checksum }, null, 2)}\n`
}

/**
 * The manifest that `bytes` are.
 * @param where the folder, for the error.
 * @throws `damagedCode` unless the bytes are exactly what `serializeManifest` writes for a manifest of `kind`.
 */
export function parseManifest(
  bytes: Uint8Array,
  kind: string,
  where: string,
  damagedCode: ErrorCode,
): Manifest {
  const refuse = (fact: string) => damaged(damagedCode, where, fact)
  let parsed: unknown
  let text: string
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
    parsed = JSON.parse(text)
  } catch (cause) {
    throw damaged(damagedCode, where, 'its manifest is not JSON', cause)
  }
  if (!isObject(parsed)) throw refuse('its manifest is not an object')
  if (parsed.format !== FORMAT) throw refuse(`its format version is not ${FORMAT}`)
  if (typeof parsed.kind !== 'string' || !isObject(parsed.files) || !isObject(parsed.fields)) {
    throw refuse('its manifest lacks a field')
  }
  for (const name of Object.keys(parsed.files)) {
    if (!isPayloadName(name) || !isManifestFile(parsed.files[name])) {
      throw refuse('its manifest lists an impossible file')
    }
  }
  const manifest = {
    format: FORMAT,
    kind: parsed.kind,
    files: parsed.files,
    fields: parsed.fields,
  } as Manifest
  if (serializeManifest(manifest) !== text) throw refuse('its manifest was changed after it was written')
  if (manifest.kind !== kind) throw refuse(`it holds '${manifest.kind.slice(0, 40)}', not '${kind}'`)
  return manifest
}

/** The error for a folder that is not what it should be. */
export function damaged(code: ErrorCode, where: string, fact: string, cause?: unknown): TextrecError {
  return new TextrecError(
    code,
    `${where} cannot be used: ${fact}.`,
    "Make it again ('textrec doctor --repair' does).",
    { cause },
  )
}

function isObject(value: unknown): value is { [name: string]: unknown } {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isManifestFile(value: unknown): boolean {
  return (
    isObject(value) &&
    Number.isSafeInteger(value.bytes) &&
    (value.bytes as number) >= 0 &&
    typeof value.sha256 === 'string' &&
    /^[0-9a-f]{64}$/.test(value.sha256)
  )
}
