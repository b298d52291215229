/** A block of code: its language, a button that copies it, and its lines in colour. */

import {memo, type ReactNode, useEffect, useState} from 'react'
import type {Line, Piece} from './highlight.js'
import {useHighlight} from './use-highlight.js'

/** Lines per box. The browser lays out again only the boxes that changed. */
const BOX_LINES = 24
const COPIED_MS = 2000

/** Code that may still grow. `language` is empty where the text names none. */
export const CodeBlock = memo(function CodeBlock({language, text}: {language: string; text: string}) {
  const lines = useHighlight(language, text)
  return (
    <div className="md-code">
      <div className="md-code-head">
        <span className="md-code-language">{language || 'text'}</span>
        <CopyButton text={text} />
      </div>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard */}
      <pre tabIndex={0}>
        <code className={language ? `language-${language}` : undefined}>{boxes(lines)}</code>
      </pre>
    </div>
  )
})

function boxes(lines: readonly Line[]): ReactNode[] {
  const found: ReactNode[] = []
  for (let at = 0; at < lines.length; at += BOX_LINES) {
    const last = at + BOX_LINES >= lines.length
    found.push(<Box key={at} lines={lines.slice(at, at + BOX_LINES)} last={last} />)
  }
  return found
}

const Box = memo(
  function Box({lines, last}: {lines: readonly Line[]; last: boolean}) {
    const children: ReactNode[] = []
    let plain = ''
    for (const [number, line] of lines.entries()) {
      for (const [index, [classes, text]] of line.entries()) {
        if (!classes) {
          plain += text
          continue
        }
        if (plain) children.push(plain)
        plain = ''
        children.push(
          <span key={`${number}.${index}`} className={classes}>
            {text}
          </span>
        )
      }
      if (!last || number < lines.length - 1) plain += '\n'
    }
    if (plain) children.push(plain)
    return <span className="md-lines">{children}</span>
  },
  (before, after) =>
    before.last === after.last &&
    before.lines.length === after.lines.length &&
    before.lines.every((line, index) => sameLine(line, after.lines[index] ?? []))
)

function sameLine(one: Line, other: Line): boolean {
  if (one === other) return true
  return one.length === other.length && one.every((piece, index) => samePiece(piece, other[index]))
}

function samePiece([classes, text]: Piece, other: Piece | undefined): boolean {
  return other?.[0] === classes && other[1] === text
}

function CopyButton({text}: {text: string}) {
  const [copied, setCopied] = useState(false)
  useEffect(() => {
    if (!copied) return
    const timer = setTimeout(() => setCopied(false), COPIED_MS)
    return () => clearTimeout(timer)
  }, [copied])
  return (
    <button
      type="button"
      className="md-copy"
      aria-label={copied ? 'Copied' : 'Copy code'}
      onClick={() => void copy(text).then(setCopied)}
    >
      {copied ? 'Copied' : 'Copy'}
    </button>
  )
}

/** Put `text` on the clipboard. Answers whether that worked: pages that are not secure have no clipboard. */
async function copy(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text)
    return true
  } catch {
    return false
  }
}
