/** When subscribers hear of what came. */

import type {Flush} from './types.js'

export interface Scheduler {
  /** Calls `tell` later, once for however many requests. `tokens`: how many came since the last request. */
  request(tell: () => void, tokens: number): void
  /** Calls it now. */
  flush(tell: () => void): void
  close(): void
}

const HIDDEN_CHECK = 'visibilitychange'

export function createScheduler(flush: Flush): Scheduler {
  const waiting = new Set<() => void>()
  let tokens = 0
  let cancel: (() => void) | undefined

  function tellAll(): void {
    cancel = undefined
    tokens = 0
    const due = [...waiting]
    waiting.clear()
    for (const tell of due) tell()
  }

  const arm = armFor(flush)
  return {
    request(tell, came) {
      waiting.add(tell)
      tokens += came
      if (flush === 'sync') tellAll()
      else if (typeof flush === 'object' && 'tokens' in flush && tokens >= flush.tokens && !hidden()) {
        cancel?.()
        tellAll()
      } else cancel ??= arm(tellAll)
    },
    flush(tell) {
      waiting.delete(tell)
      tell()
    },
    close() {
      cancel?.()
      cancel = undefined
      waiting.clear()
    }
  }
}

type Arm = (tell: () => void) => () => void

/** What has come below the number of tokens is told after so long. */
const TOKENS_REST_MS = 100

function armFor(flush: Flush): Arm {
  if (typeof flush === 'object') return whenSeen(after('ms' in flush ? flush.ms : TOKENS_REST_MS))
  return typeof requestAnimationFrame === 'function' ? frames() : after(16)
}

function after(ms: number): Arm {
  return tell => {
    const timer = setTimeout(tell, ms)
    return () => clearTimeout(timer)
  }
}

function hidden(): boolean {
  return typeof document !== 'undefined' && document.hidden
}

/** A hidden tab is not rendered for. */
function whenSeen(arm: Arm): Arm {
  return tell => {
    if (!hidden()) return arm(tell)
    const seen = () => {
      if (hidden()) return
      document.removeEventListener(HIDDEN_CHECK, seen)
      tell()
    }
    document.addEventListener(HIDDEN_CHECK, seen)
    return () => document.removeEventListener(HIDDEN_CHECK, seen)
  }
}

/**
 * Once per animation frame; a browser gives none to a hidden tab. Where telling takes long, rendering and all, the
 * next frame waits as long again, so that half of the main thread stays free for the person.
 */
function frames(): Arm {
  let free = 0
  return tell => {
    let frame = 0
    let timer: ReturnType<typeof setTimeout> | undefined
    const next = () => {
      frame = requestAnimationFrame(() => {
        const began = performance.now()
        tell()
        afterRendering(() => {
          const ended = performance.now()
          free = ended + Math.min(ended - began, LONGEST_PAUSE_MS)
        })
      })
    }
    const pause = free - performance.now()
    if (pause > FRAME_MS) timer = setTimeout(next, pause - FRAME_MS)
    else next()
    return () => {
      clearTimeout(timer)
      cancelAnimationFrame(frame)
    }
  }
}

const FRAME_MS = 16
const LONGEST_PAUSE_MS = 1000

/** A message is delivered behind the frame's style, layout and paint; a microtask or a timer would not tell of those. */
function afterRendering(call: () => void): void {
  const {port1, port2} = new MessageChannel()
  port1.onmessage = () => {
    port1.close()
    call()
  }
  port2.postMessage(undefined)
}
