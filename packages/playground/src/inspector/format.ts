/** Times and numbers as people read them. */

/** A duration in milliseconds: `0.4 ms`, `240 ms`, `1.24 s`, `2 min 03 s`. */
export function duration(ms: number): string {
  if (!Number.isFinite(ms)) return '–'
  if (ms < 9.95) return `${trimmed(ms, 1)} ms`
  if (ms < 999.5) return `${Math.round(ms)} ms`
  if (ms < 59_995) return `${trimmed(ms / 1000, 2)} s`
  const seconds = Math.round(ms / 1000)
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${two(seconds % 60)} s`
  return `${Math.floor(seconds / 3600)} h ${two(Math.floor((seconds % 3600) / 60))} min`
}

/** Seconds since the start of a run, always with three decimals, so that a column of them lines up: `+12.034`. */
export function offset(seconds: number): string {
  return `+${Math.max(0, seconds).toFixed(3)}`
}

/** A moment in seconds since the Unix epoch, in ISO 8601. What is no moment is said so. */
export function moment(at: number): string {
  const date = new Date(at * 1000)
  return Number.isNaN(date.getTime()) ? 'unknown time' : date.toISOString()
}

/** `12,345`. */
export function count(value: number): string {
  return value.toLocaleString('en-US', {maximumFractionDigits: 1})
}

/** `1 event`, `2 events`. */
export function plural(value: number, one: string, many = `${one}s`): string {
  return `${count(value)} ${value === 1 ? one : many}`
}

/** The first `limit` characters on one line, with an ellipsis where there is more. */
export function brief(text: string, limit = 160): string {
  const line = text.slice(0, limit * 2).replace(/\s+/g, ' ')
  return line.length > limit || text.length > limit * 2 ? `${line.slice(0, limit)}…` : line
}

/** The text in blocks of whole lines, of about 2,000 characters; more text changes only the last one. */
export function blocksOf(text: string): string[] {
  const blocks: string[] = []
  let from = 0
  for (;;) {
    const end = text.indexOf('\n', from + 2000)
    if (end === -1) break
    blocks.push(text.slice(from, end))
    from = end + 1
  }
  blocks.push(text.slice(from))
  return blocks
}

function trimmed(value: number, digits: number): string {
  return String(Number(value.toFixed(digits)))
}

function two(value: number): string {
  return String(value).padStart(2, '0')
}
