/** Long texts: which tokens each window covers, and how the windows become one vector again. */

/** Every n-th part of a window is shared with the next one, so that no phrase is lost at a border. */
const OVERLAP_SHARE = 8
/** More windows than these are not encoded: evenly spread ones stand for the whole, and the report says so. */
export const MAX_WINDOWS = 256

export interface Window {
  readonly start: number
  readonly end: number
}

/**
 * Overlapping windows of nearly equal length, none longer than `room`, that cover tokens 0 to count.
 * No tokens at all make one empty window: the empty text is what the encoder says about its special tokens.
 */
export function windowsOf(count: number, room: number): Window[] {
  if (count <= room) return [{ start: 0, end: count }]
  const overlap = Math.floor(room / OVERLAP_SHARE)
  const windows = Math.ceil((count - overlap) / (room - overlap))
  const size = Math.ceil((count + (windows - 1) * overlap) / windows)
  const result: Window[] = []
  for (let i = 0; i < windows; i++) {
    // Rounded so that the first starts at 0 and the last ends at count exactly.
    const start = Math.round((i * (count - size)) / (windows - 1))
    result.push({ start, end: start + size })
  }
  return result
}

/** At most MAX_WINDOWS of the windows, evenly spread, the first and the last among them. */
export function sampleWindows(windows: readonly Window[]): readonly Window[] {
  if (windows.length <= MAX_WINDOWS) return windows
  return Array.from(
    { length: MAX_WINDOWS },
    (_, i) => windows[Math.round((i * (windows.length - 1)) / (MAX_WINDOWS - 1))],
  )
}
