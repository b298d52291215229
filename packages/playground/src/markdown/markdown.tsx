/** Markdown that renders while it streams. */

import {useId, useState} from 'react'
import {BlockView} from './blocks.js'
import {MarkdownDocument} from './document.js'
import {useMath} from './formula.js'
import './markdown.css'

/** Blocks above which the browser is asked to leave out those that are out of view, too, and not only whole texts. */
const LONG = 24

/**
 * Show `text` as markdown. A render costs what was added since the last one, not the length of the text.
 * @param complete Whether no more text will come.
 */
export function Markdown({text, complete}: {text: string; complete: boolean}) {
  const [document] = useState(() => new MarkdownDocument())
  const prefix = useId()
  const grammar = useMath(text)
  const blocks = document.update(text, complete, grammar)
  return (
    <div className={blocks.length > LONG ? 'md md-long' : 'md'}>
      {blocks.map(block => (
        <BlockView key={block.key} block={block} prefix={prefix} />
      ))}
    </div>
  )
}
