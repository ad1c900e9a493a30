import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { TextrecError } from '../errors.js'
import type { Device, DeviceChoice, Dtype, DtypeChoice } from '../types.js'
import { onnxRuntime } from './session.js'

/** A decision and why it was taken, in words for a report. */
export interface Decision<T> {
  readonly chosen: T
  readonly reason: string
}

/** What the machine has, apart from ONNX Runtime itself; a parameter so that tests can be another machine. */
export interface Machine {
  readonly platform: string
  readonly arch: string
  /** The CUDA library that onnxruntime-node fetches at install is there. */
  readonly cudaLibrary: boolean
  readonly nvidiaDriver: boolean
  /** A GPU that Vulkan, Metal or Direct3D can be expected to reach. */
  readonly graphicsDevice: boolean
  /** The lines of /proc/cpuinfo that name processor features; empty where there is no such file. */
  readonly cpuFeatures: string
}

/** Looks at this machine. Reads a few files, loads no native code. */
export function inspectMachine(): Machine {
  const { platform, arch } = process
  return {
    platform,
    arch,
    cudaLibrary: cudaLibraryPresent(),
    nvidiaDriver: existsSync('/proc/driver/nvidia/version'),
    graphicsDevice: platform === 'darwin' || platform === 'win32' || hasRenderNode(),
    cpuFeatures: readCpuFeatures(),
  }
}

/**
 * Where to compute. 'auto' takes CUDA, then WebGPU, where the machine shows both the hardware and the
 * libraries, and the CPU otherwise.
 * @throws DEVICE_MISSING if a device is asked for by name that cannot work here.
 */
export function chooseDevice(choice: DeviceChoice, machine: Machine = inspectMachine()): Decision<Device> {
  if (choice === 'auto') {
    if (missing('cuda', machine) === undefined) {
      return { chosen: 'cuda', reason: 'an NVIDIA driver and the CUDA libraries are here' }
    }
    if (machine.graphicsDevice && missing('webgpu', machine) === undefined) {
      return { chosen: 'webgpu', reason: 'a graphics device is here' }
    }
    return { chosen: 'cpu', reason: 'no usable GPU was found' }
  }
  const problem = missing(choice, machine)
  if (problem !== undefined) throw problem
  return { chosen: choice, reason: 'it was asked for' }
}

/**
 * Which arithmetic to use. 'auto' takes int8 where the processor multiplies bytes into 32 bits, because only
 * there it is both faster and exact, and fp32 everywhere else, every GPU included: its vectors are those of any
 * CPU, and not every GPU has fp16.
 * @throws OPTION_INVALID for int8 on a GPU, whose 8-bit operators exist for the CPU only, and for fp16 on the CPU,
 *   which would compute it by way of fp32.
 */
export function chooseDtype(
  choice: DtypeChoice,
  device: Device,
  machine: Machine = inspectMachine(),
): Decision<Dtype> {
  if (choice === 'int8' && device !== 'cpu') {
    throw new TextrecError(
      'OPTION_INVALID',
      `dtype 'int8' does not run on device '${device}'.`,
      `Use dtype 'fp32' or 'auto', or device 'cpu'.`,
    )
  }
  if (choice === 'fp16' && device === 'cpu') {
    throw new TextrecError(
      'OPTION_INVALID',
      `dtype 'fp16' is for GPUs, and this is device 'cpu'.`,
      `Use dtype 'auto', or device 'webgpu' or 'cuda'.`,
    )
  }
  if (choice !== 'auto') return { chosen: choice, reason: 'it was asked for' }
  if (device !== 'cpu') return { chosen: 'fp32', reason: `device '${device}' has no 8-bit operators` }
  return hasByteProducts(machine)
    ? { chosen: 'int8', reason: 'the processor has exact 8-bit products' }
    : { chosen: 'fp32', reason: 'the processor is not known to have exact 8-bit products' }
}

/**
 * True where sums of 8-bit products cannot saturate: AVX-VNNI and AVX512-VNNI on x86, dot product instructions
 * on ARM (every Apple silicon has them). False where nobody knows, as on Windows.
 */
export function hasByteProducts(machine: Machine): boolean {
  if (machine.platform === 'darwin') return machine.arch === 'arm64'
  if (machine.arch === 'x64') return /\bavx(512)?_vnni\b/.test(machine.cpuFeatures)
  return machine.arch === 'arm64' && /\basimddp\b/.test(machine.cpuFeatures)
}

function missing(device: Device, machine: Machine): TextrecError | undefined {
  if (device === 'cpu') return undefined
  const backends = onnxRuntime().listSupportedBackends()
  if (!backends.some(({ name }) => name === device)) {
    return new TextrecError(
      'DEVICE_MISSING',
      `onnxruntime-node has no '${device}' for ${machine.platform} ${machine.arch}.`,
      `Use device 'cpu' or 'auto'.`,
    )
  }
  if (device === 'cuda' && !machine.cudaLibrary) {
    return new TextrecError(
      'DEVICE_MISSING',
      'The CUDA libraries of ONNX Runtime are not installed.',
      'With CUDA 12 and cuDNN 9 on the machine, run: ONNXRUNTIME_NODE_INSTALL=cuda12 node node_modules/onnxruntime-node/script/install.js',
    )
  }
  if (device === 'cuda' && !machine.nvidiaDriver) {
    return new TextrecError(
      'DEVICE_MISSING',
      'There is no NVIDIA driver.',
      "Install it, or use device 'cpu'.",
    )
  }
  return undefined
}

/** The error for a device whose session could not be made although everything seemed to be there. */
export function deviceFailed(device: Device, cause: unknown): TextrecError {
  const remedy =
    device === 'webgpu'
      ? "On Linux it needs a Vulkan driver (Debian: mesa-vulkan-drivers, or the GPU maker's); vulkaninfo must list a GPU. Or use device 'cpu'."
      : "Check that nvidia-smi works and that CUDA 12 and cuDNN 9 are on LD_LIBRARY_PATH, or use device 'cpu'."
  return new TextrecError('DEVICE_MISSING', `Device '${device}' could not be started.`, remedy, { cause })
}

function cudaLibraryPresent(): boolean {
  try {
    const root = dirname(createRequire(import.meta.url).resolve('onnxruntime-node/package.json'))
    const folder = join(root, 'bin', 'napi-v6', process.platform, process.arch)
    return readdirSync(folder).some((name) => name.includes('onnxruntime_providers_cuda'))
  } catch {
    return false
  }
}

function hasRenderNode(): boolean {
  try {
    return readdirSync('/dev/dri').some((name) => name.startsWith('renderD'))
  } catch {
    return false
  }
}

function readCpuFeatures(): string {
  try {
    const text = readFileSync('/proc/cpuinfo', 'utf8')
    return text.split('\n').find((line) => /^(flags|Features)\s*:/.test(line)) ?? ''
  } catch {
    return ''
  }
}
