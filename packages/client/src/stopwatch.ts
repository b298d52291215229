import type {KnownEvent} from './events.js'
import type {Timing} from './types.js'

/** How a run goes, as seen from here. Times are those of `performance.now()`. */
export class Stopwatch {
  readonly began = performance.now()
  /** Of the first token. */
  first: number | undefined
  last: number | undefined
  reconnects = 0
  #tokens = 0
  #firstRecord: number | undefined
  #longestGap = 0

  record({type}: KnownEvent): void {
    const now = performance.now()
    if (this.last !== undefined) this.#longestGap = Math.max(this.#longestGap, now - this.last)
    this.last = now
    this.#firstRecord ??= now
    if (type === 'token') {
      this.#tokens += 1
      this.first ??= now
    }
  }

  /** Whether a run that took the server so long came here in one go: then something gathered it. */
  cameAtOnce(elapsedMs = 0): boolean {
    const here = (this.last ?? 0) - (this.#firstRecord ?? 0)
    return this.reconnects === 0 && elapsedMs > 2000 && here < elapsedMs / 10
  }

  timing(): Timing {
    const elapsedMs = (this.last ?? this.began) - this.began
    const streamed = this.first === undefined ? 0 : (this.last ?? this.first) - this.first
    return {
      tokens: this.#tokens,
      elapsedMs,
      reconnects: this.reconnects,
      longestGapMs: this.#longestGap,
      ...(this.first !== undefined && {ttftMs: this.first - this.began}),
      ...(streamed > 0 && this.#tokens > 1 && {tokensPerSecond: ((this.#tokens - 1) * 1000) / streamed})
    }
  }
}
