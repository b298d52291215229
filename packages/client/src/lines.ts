/** Newline-delimited JSON, for those who ask for it. */

import {MAX_EVENT_CHARS, malformed, parsed, recordOf, tooLong} from './decode.js'
import type {UnspoolRecord} from './events.js'

/** Reads lines that LF ends, and LF alone. Leaves out empty ones, and the one that the end of the stream cuts off. */
export class LineDecoder {
  readonly #text = new TextDecoder('utf-8', {ignoreBOM: true})
  readonly #maxChars: number
  #rest: string[] = []
  #length = 0

  constructor(maxChars = MAX_EVENT_CHARS) {
    this.#maxChars = maxChars
  }

  /**
   * Returns the lines that the chunk completes.
   *
   * @throws {UnspoolError} `parse`: a line is over the limit. The decoder is of no use then.
   */
  feed(chunk: Uint8Array): string[] {
    const pieces = this.#text.decode(chunk, {stream: true}).split('\n')
    const last = pieces.pop() ?? ''
    const lines: string[] = []
    for (const piece of pieces) {
      this.#gather(piece)
      const line = this.#rest.join('')
      this.#rest = []
      this.#length = 0
      if (line) lines.push(line)
    }
    this.#gather(last)
    return lines
  }

  #gather(piece: string): void {
    this.#length += piece.length
    if (this.#length > this.#maxChars) throw tooLong()
    if (piece) this.#rest.push(piece)
  }
}

/** Of a line of NDJSON. */
export function recordOfLine(line: string): UnspoolRecord {
  const value = parsed(line)
  if (typeof value !== 'object' || value === null) throw malformed()
  const {seq, at, event} = value as Record<string, unknown>
  return recordOf(seq, at, event)
}

/** Reads records from chunks. */
export function lineReader(): (chunk: Uint8Array) => UnspoolRecord[] {
  const decoder = new LineDecoder()
  return chunk => decoder.feed(chunk).map(recordOfLine)
}
