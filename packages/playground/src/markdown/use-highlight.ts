/** Highlighting of code that grows, without doing all of it again for each token. */

import {useEffect, useReducer, useRef} from 'react'
import type {Line} from './highlight.js'
import {lazyModule, useLazy} from './lazy.js'

/** Longer code stays plain, in characters: colouring it would take longer than a frame may. */
const MAX_LENGTH = 30_000
/** By how much code must have grown to be coloured again. A factor keeps the sum of all work linear. */
const GROWTH = 1.3
/** Milliseconds without new text after which the rest is coloured. */
const REST_MS = 120
/** Milliseconds in which a render with new text will show the colours, too. */
const SHARE_MS = 50

const highlighter = lazyModule(() => import('./highlight.js'))

interface Coloured {
  readonly text: string
  readonly language: string
  readonly lines: readonly Line[]
}

/** The lines of `text`: coloured as far as that was done, plain after it. */
export function useHighlight(language: string, text: string): readonly Line[] {
  const module = useLazy(highlighter, language !== '' && text.length <= MAX_LENGTH)
  const coloured = useRef<Coloured>(undefined)
  const showing = useRef<ReturnType<typeof setTimeout>>(undefined)
  const [, show] = useReducer((times: number) => times + 1, 0)

  const {current} = coloured
  const usable = current?.language === language && text.startsWith(current.text) ? current : undefined
  const done = usable?.text.length ?? 0

  useEffect(() => () => clearTimeout(showing.current), [])
  useEffect(() => {
    clearTimeout(showing.current)
    if (!module || done === text.length) return
    const colour = (end: number) => {
      const part = text.slice(0, end)
      const lines = module.highlight(language, part)
      if (lines) coloured.current = {text: part, language, lines}
      return lines !== undefined
    }
    const lines = text.lastIndexOf('\n') + 1
    if (lines > done * GROWTH) {
      return whenIdle(() => {
        // The next token renders anyway; a commit of its own would be one too many in that frame.
        if (colour(lines)) showing.current = setTimeout(inNextFrame, SHARE_MS, show)
      })
    }
    const timer = setTimeout(() => colour(text.length) && inNextFrame(show), REST_MS)
    return () => clearTimeout(timer)
  }, [module, language, text, done])

  return joined(usable?.lines ?? [], text.slice(done))
}

/** The coloured lines, of which the last one may go on with the plain text. */
function joined(lines: readonly Line[], rest: string): readonly Line[] {
  if (!rest) return lines
  const plain = rest.split('\n').map((text): Line => (text ? [['', text]] : []))
  const last = lines.at(-1)
  if (!last) return plain
  return [...lines.slice(0, -1), [...last, ...(plain[0] ?? [])], ...plain.slice(1)]
}

/**
 * Call `show` as the first thing of a frame, so that React commits it together with the tokens of that frame: what is asked
 * for while a frame begins comes before what is asked for after it.
 */
function inNextFrame(show: () => void): void {
  requestAnimationFrame(() => requestAnimationFrame(show))
}

function whenIdle(work: () => void): () => void {
  if (typeof requestIdleCallback !== 'function') {
    const timer = setTimeout(work)
    return () => clearTimeout(timer)
  }
  const handle = requestIdleCallback(work, {timeout: 200})
  return () => cancelIdleCallback(handle)
}
