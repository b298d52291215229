/** Lines of a text that may still grow. A line ends at LF, CR or CRLF, as in CommonMark. */

const LINE_END = /\r\n|\r|\n/g

/** The start of the line that `offset` is in. */
export function lineStart(text: string, offset: number): number {
  for (let at = offset; at > 0; at--) if (isLineEnd(text, at - 1)) return at
  return 0
}

/** The start of the next line, or undefined if the line that `offset` is in has no end yet. */
export function nextLine(text: string, offset: number): number | undefined {
  LINE_END.lastIndex = offset
  return LINE_END.test(text) ? LINE_END.lastIndex : undefined
}

/** Whether a blank line lies between the offsets: the end of one block and the start of another. */
export function blankBetween(text: string, from: number, to: number): boolean {
  const next = nextLine(text, from)
  if (next === undefined) return false
  const second = nextLine(text, next)
  return second !== undefined && second <= to
}

function isLineEnd(text: string, at: number): boolean {
  const code = text.charCodeAt(at)
  return code === 10 || code === 13
}
