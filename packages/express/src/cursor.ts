/** Cursors: where a follower is, as clients send it back. `[run_id ":"] seq`. */

import {cursorUnknown} from './errors.js'

export interface Cursor {
  /** Null where the address already says which run. */
  runId: string | null
  seq: number
}

/** @throws {Refusal} `cursor_unknown`: it is none. */
export function parseCursor(text: string): Cursor {
  const colon = text.lastIndexOf(':')
  const seq = text.slice(colon + 1)
  // What is past the largest exact number was never issued.
  if (!/^[0-9]{1,18}$/.test(seq) || colon === 0) throw cursorUnknown(text.slice(0, 200), 0)
  return {runId: colon < 0 ? null : text.slice(0, colon), seq: Number(seq)}
}
