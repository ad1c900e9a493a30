/** What measure.test.ts runs in processes of their own. Plain JavaScript: tests are not compiled. */

export const sum = (numbers) => numbers.reduce((total, number) => total + number, 0)

export function hold(bytes) {
  return Buffer.alloc(bytes, 1).length
}

export function fail(why) {
  throw new Error(why)
}

export function die(code) {
  process.exit(code)
}
