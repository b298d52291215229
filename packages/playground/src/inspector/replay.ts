import {Fold, type Transcript, type UnspoolRecord} from '@unspool/client'

/** `Infinity` is at once. */
export const SPEEDS = [0.5, 1, 2, 5, 10, 20, Number.POSITIVE_INFINITY] as const

/** A recorded run at any of its moments. Going forward costs what is new; going back starts over. */
export class Replay {
  #records: readonly UnspoolRecord[]
  #times: readonly number[]
  #fold = new Fold()
  #position = 0

  /**
   * @param times By record: seconds since the start, never falling.
   */
  constructor(records: readonly UnspoolRecord[], times: readonly number[]) {
    this.#records = records
    this.#times = times
  }

  /** Of the newest record, in seconds. */
  get seconds(): number {
    return this.#times.at(-1) ?? 0
  }

  /** How many records have happened by then. */
  positionAt(seconds: number): number {
    let low = 0
    let high = this.#times.length
    while (low < high) {
      const middle = (low + high) >> 1
      if ((this.#times[middle] ?? 0) <= seconds) low = middle + 1
      else high = middle
    }
    return low
  }

  /** When the record that makes it `position` happened, in seconds. */
  timeAt(position: number): number {
    return position <= 0 ? 0 : (this.#times[Math.min(position, this.#times.length) - 1] ?? 0)
  }

  /** The transcript after the first `position` records. */
  transcriptAt(position: number): Transcript {
    if (position < this.#position) {
      this.#fold = new Fold()
      this.#position = 0
    }
    const last = Math.min(position, this.#records.length)
    for (; this.#position < last; this.#position++) {
      const record = this.#records[this.#position]
      if (record) this.#fold.fold(record)
    }
    return this.#fold.transcript()
  }
}

/** Where the playback is, in seconds, after `elapsedMs` at `speed`: never past the end. */
export function advance(seconds: number, elapsedMs: number, speed: number, end: number): number {
  if (speed === Number.POSITIVE_INFINITY) return end
  return Math.min(end, seconds + (elapsedMs / 1000) * speed)
}
