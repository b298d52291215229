/** A code fence that is still open: its text is read line by line, and never parsed. */

import {nextLine} from './lines.js'

/** Where a fence is, and how far it was searched for its end. */
export interface Fence {
  readonly body: number
  readonly indent: number
  readonly end: RegExp
  scanned: number
}

const OPENING = / {0,3}(`{3,}(?=[^`\r\n]*[\r\n])|~{3,})/y
const LAST_LINE_END = /(?:\r\n|\r|\n)$/

/** The fence that opens on the line at `from`, if its line is complete. */
export function openFence(text: string, from: number): Fence | undefined {
  OPENING.lastIndex = from
  const [whole, marks] = OPENING.exec(text) ?? []
  const body = nextLine(text, from)
  if (whole === undefined || marks === undefined || body === undefined) return undefined
  const end = new RegExp(` {0,3}${marks.charAt(0)}{${marks.length},}[ \\t]*(?:\\r\\n|\\r|\\n)`, 'y')
  return {body, indent: whole.length - marks.length, end, scanned: body}
}

/** Read on. Answers the offset after the line that closes the fence, or undefined if it is still open. */
export function closeFence(text: string, fence: Fence): number | undefined {
  for (;;) {
    fence.end.lastIndex = fence.scanned
    if (fence.end.test(text)) return fence.end.lastIndex
    const next = nextLine(text, fence.scanned)
    if (next === undefined) return undefined
    fence.scanned = next
  }
}

/** The code so far, without a last line that may become the end of the fence. */
export function codeSoFar(text: string, fence: Fence): string {
  const unfinished = text.slice(fence.scanned)
  const end = /^ {0,3}(`+|~+)[ \t]*$/.test(unfinished) ? fence.scanned : text.length
  const code = text.slice(fence.body, end).replace(LAST_LINE_END, '')
  return fence.indent ? code.replace(new RegExp(`^ {1,${fence.indent}}`, 'gm'), '') : code
}
