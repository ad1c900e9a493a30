/**
 * `npm run release-check [-- --out FILE]`: what has to be true of a release beyond its tests. Lists every package that
 * a user installs as a CycloneDX bill of materials (by `npm sbom`), refuses one without licence or hash, and writes the
 * list to textrec-VERSION.sbom.json.
 */
import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { Command } from 'commander'

interface Component {
  readonly 'bom-ref': string
  readonly licenses?: readonly unknown[]
  readonly hashes?: readonly { readonly alg: string }[]
}

interface Bill {
  readonly bomFormat: string
  readonly components: readonly Component[]
}

interface Lock {
  readonly packages: { readonly [path: string]: { readonly dev?: boolean; readonly optional?: boolean } }
}

const root = new URL('../../', import.meta.url)
const { version } = JSON.parse(readFileSync(new URL('package.json', root), 'utf8')) as { version: string }
const { out } = new Command('release-check')
  .option('--out <file>', 'where the list is written', `textrec-${version}.sbom.json`)
  .parse()
  .opts<{ out: string }>()

const text = execFileSync('npm', ['sbom', '--omit', 'dev', '--sbom-format', 'cyclonedx'], {
  cwd: root,
  encoding: 'utf8',
  maxBuffer: 2 ** 28,
  stdio: ['ignore', 'pipe', 'inherit'],
})
const { bomFormat, components } = JSON.parse(text) as Bill
const { packages } = JSON.parse(readFileSync(new URL('package-lock.json', root), 'utf8')) as Lock
// Optional packages are there on some platforms only; the others must all be listed.
const needed = Object.entries(packages).filter(
  ([path, { dev, optional }]) => path !== '' && !dev && !optional,
)
const faults = [
  ...(bomFormat === 'CycloneDX' ? [] : ['npm sbom wrote no CycloneDX document']),
  ...(components.length >= needed.length
    ? []
    : [`${components.length} packages are listed, the lockfile has ${needed.length}`]),
  ...components
    .filter(({ licenses = [] }) => licenses.length === 0)
    .map((component) => `${component['bom-ref']} has no licence`),
  ...components
    .filter(({ hashes = [] }) => !hashes.some(({ alg }) => alg === 'SHA-512'))
    .map((component) => `${component['bom-ref']} has no SHA-512`),
]
for (const fault of faults) process.stderr.write(`${fault}\n`)
if (faults.length > 0) process.exitCode = 1
else {
  writeFileSync(out, text)
  process.stdout.write(`${components.length} packages, each with licence and SHA-512: ${out}\n`)
}
