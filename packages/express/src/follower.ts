/** A response that follows a run from a cursor to its end. A cursor into the shared log, and no queue of its own. */

import {coalesced} from './coalesce.js'
import type {Codec, LogRecord} from './codec.js'
import type {LoggedRun} from './log.js'
import type {Outgoing} from './sending.js'

export interface FollowOptions {
  after: number
  codec: Codec
  /** Milliseconds of silence after which a sign of life is sent. */
  heartbeat: number
  /** Tokens to merge into one at most; 0: as many as there are where `coalesceMs` is given, else none. */
  coalesceTokens: number
  /** Milliseconds between two writes. 0: none. */
  coalesceMs: number
}

/** Resolves at the end of the run, or once the client is gone, which does not touch the run. */
export async function follow(run: LoggedRun, out: Outgoing, options: FollowOptions): Promise<void> {
  const {codec, heartbeat, coalesceTokens, coalesceMs} = options
  const merge = coalesceTokens || coalesceMs
  const most = coalesceTokens || Number.POSITIVE_INFINITY
  const bell = new Bell()
  const leave = run.listen(() => bell.ring())
  out.onClose(() => bell.ring())
  let {after} = options
  try {
    await out.write(codec.opening)
    while (!out.closed) {
      const batch = run.read(after)
      const last: LogRecord | undefined = batch.at(-1)
      if (last) {
        await out.write(codec.encode(merge ? coalesced(batch, most) : batch))
        after = last.seq
        if (coalesceMs) await new Promise(resolve => setTimeout(resolve, coalesceMs))
      } else if (run.ended) {
        out.end()
      } else if (!(await bell.rung(heartbeat))) {
        await out.write(codec.heartbeat)
      }
    }
  } finally {
    leave()
    bell.stop()
  }
}

/** Wakes one waiter. One timer for all its waits. */
class Bell {
  #rang = false
  #wake: ((rang: boolean) => void) | undefined
  #timer: NodeJS.Timeout | undefined

  ring(): void {
    this.#rang = true
    this.#answer(true)
  }

  /** True once it rings, or has rung since the last wait; false after so many milliseconds without. */
  rung(milliseconds: number): Promise<boolean> {
    if (this.#rang) {
      this.#rang = false
      return Promise.resolve(true)
    }
    this.#timer = this.#timer?.refresh() ?? setTimeout(() => this.#answer(false), milliseconds)
    return new Promise(resolve => {
      this.#wake = resolve
    })
  }

  stop(): void {
    clearTimeout(this.#timer)
  }

  #answer(rang: boolean): void {
    const wake = this.#wake
    this.#wake = undefined
    if (!wake) return
    this.#rang = false
    wake(rang)
  }
}
