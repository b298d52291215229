const RELATIVE = new Intl.RelativeTimeFormat('en', {numeric: 'auto', style: 'short'})
const DATE = new Intl.DateTimeFormat('en', {month: 'short', day: 'numeric'})
const EXACT = new Intl.DateTimeFormat('en', {dateStyle: 'medium', timeStyle: 'short'})

/** `at` in seconds since the Unix epoch: "now", "5 min. ago", "yesterday", "Mar 3". */
export function ago(at: number, now = Date.now() / 1000): string {
  const seconds = now - at
  if (seconds < 60) return 'now'
  if (seconds < 3600) return RELATIVE.format(-Math.floor(seconds / 60), 'minute')
  if (seconds < 86_400) return RELATIVE.format(-Math.floor(seconds / 3600), 'hour')
  if (seconds < 7 * 86_400) return RELATIVE.format(-Math.floor(seconds / 86_400), 'day')
  return DATE.format(at * 1000)
}

export const exact = (at: number): string => EXACT.format(at * 1000)

/** "85 ms", "0.4 s", "12.3 s", "2 min 5 s". */
export function duration(ms: number): string {
  if (ms < 100) return `${Math.round(ms)} ms`
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)} s`
  return `${Math.floor(ms / 60_000)} min ${Math.round((ms % 60_000) / 1000)} s`
}

/** "512 B", "1.4 MB". */
export function bytes(count: number): string {
  if (count < 1024) return `${count} B`
  if (count < 1024 * 1024) return `${(count / 1024).toFixed(0)} kB`
  return `${(count / 1024 / 1024).toFixed(1)} MB`
}
