/** How fast the text came, by the times at which its pieces were committed. Each piece costs the same. */

import type {UnspoolRecord} from '@unspool/client'

/** One piece of a chart: a span of time, and what came in it. */
export interface Series {
  /** The start of each span, in seconds since the start of the run. */
  times: number[]
  /** Pieces of text per second. */
  rates: number[]
  /** Milliseconds between two pieces, on average; null where no piece came. */
  means: (number | null)[]
  /** The longest in the span. */
  longest: (number | null)[]
}

/** Gaps of at least `from` and less than `to` milliseconds. */
export interface Bin {
  from: number
  to: number
  count: number
}

interface Span {
  pieces: number
  gaps: number
  sum: number
  longest: number
}

const SPANS = 240
const FIRST_WIDTH = 0.1
const EDGES = [0, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, Number.POSITIVE_INFINITY]
const GROWTH = Math.log(1.02)

/**
 * The speed of a run. A gap is the time between two neighbouring pieces (`token`, `reasoning`) of the same message, so
 * that the time that a tool takes between two messages is not counted.
 */
export class Latency {
  pieces = 0
  gaps = 0
  /** Milliseconds from the start of the run; undefined until a piece came. */
  firstMs: number | undefined
  longestMs = 0
  /** When the longest gap ended, in seconds since the start of the run. */
  longestAt: number | undefined

  #started: number | undefined
  #last = 0
  #lastOf = new Map<string, number>()
  #width = FIRST_WIDTH
  #spans: Span[] = []
  #histogram = new Array<number>(EDGES.length - 1).fill(0)
  #quantiles = new Map<number, number>()

  add(record: UnspoolRecord): void {
    const {at, event} = record
    this.#started ??= at
    if (event.type === 'message_end') this.#lastOf.delete(event.message_id)
    if (event.type !== 'token' && event.type !== 'reasoning') return
    const time = Math.max(this.#last, at - this.#started)
    this.#last = time
    this.pieces++
    this.firstMs ??= time * 1000
    const span = this.#spanAt(time)
    span.pieces++
    const before = this.#lastOf.get(event.message_id)
    this.#lastOf.set(event.message_id, time)
    if (before !== undefined) this.#gap((time - before) * 1000, time, span)
  }

  /** Between the first and the last piece; undefined where there are fewer than two. */
  get piecesPerSecond(): number | undefined {
    const seconds = this.#last - (this.firstMs ?? 0) / 1000
    return this.pieces > 1 && seconds > 0 ? (this.pieces - 1) / seconds : undefined
  }

  /** The gap that a share `q` (0 to 1) of all gaps does not exceed, in milliseconds, to 1 %. Undefined without gaps. */
  quantile(q: number): number | undefined {
    if (this.gaps === 0) return undefined
    let left = Math.max(1, Math.ceil(q * this.gaps))
    for (const [bin, count] of [...this.#quantiles].sort(([a], [b]) => a - b)) {
      left -= count
      if (left <= 0) return bin === -1 ? 0 : Math.min(this.longestMs, Math.exp((bin + 0.5) * GROWTH) * 0.01)
    }
    return this.longestMs
  }

  /** From the first to the last bin that has something in it. */
  histogram(): Bin[] {
    const bins = this.#histogram.map((count, index) => ({from: EDGES[index] ?? 0, to: EDGES[index + 1] ?? 0, count}))
    const first = bins.findIndex(bin => bin.count > 0)
    return first === -1 ? [] : bins.slice(first, bins.findLastIndex(bin => bin.count > 0) + 1)
  }

  /** At most 240 spans; they get longer as the run does. */
  series(): Series {
    const spans = this.#spans
    return {
      times: spans.map((_, index) => index * this.#width),
      rates: spans.map(({pieces}) => pieces / this.#width),
      means: spans.map(({gaps, sum}) => (gaps > 0 ? sum / gaps : null)),
      longest: spans.map(({gaps, longest}) => (gaps > 0 ? longest : null))
    }
  }

  #gap(ms: number, time: number, span: Span): void {
    this.gaps++
    span.gaps++
    span.sum += ms
    span.longest = Math.max(span.longest, ms)
    if (ms > this.longestMs || this.longestAt === undefined) {
      this.longestMs = ms
      this.longestAt = time
    }
    const bin = EDGES.findLastIndex(edge => edge <= ms)
    this.#histogram[bin] = (this.#histogram[bin] ?? 0) + 1
    // Logarithmic bins from 10 µs on; pieces that were committed together have no gap at all.
    const fine = ms < 0.01 ? -1 : Math.floor(Math.log(ms / 0.01) / GROWTH)
    this.#quantiles.set(fine, (this.#quantiles.get(fine) ?? 0) + 1)
  }

  #spanAt(time: number): Span {
    while (time >= this.#width * SPANS) this.#widen()
    const index = Math.floor(time / this.#width)
    while (this.#spans.length <= index) this.#spans.push({pieces: 0, gaps: 0, sum: 0, longest: 0})
    return this.#spans[index] as Span
  }

  /** Spans twice as long, half as many. Happens once each time that the run has become twice as long. */
  #widen(): void {
    this.#width *= 2
    const wide: Span[] = []
    for (const [index, span] of this.#spans.entries()) {
      const into = wide[index >> 1]
      if (!into) {
        wide.push({...span})
        continue
      }
      into.pieces += span.pieces
      into.gaps += span.gaps
      into.sum += span.sum
      into.longest = Math.max(into.longest, span.longest)
    }
    this.#spans = wide
  }
}
