import {useState} from 'react'
import {Icon} from '../ui/Icon.js'

/** What the model thought. Open while it thinks, unless the reader closes it; closed once it has answered. */
export function Reasoning({text, thinking}: {text: string; thinking: boolean}) {
  const [chosen, setChosen] = useState<boolean>()
  const open = chosen ?? thinking
  return (
    <details className="card reasoning" open={open}>
      {/* biome-ignore lint/a11y/noStaticElementInteractions: a summary is a button; this is its click, by keyboard too. */}
      <summary
        onClick={event => {
          event.preventDefault()
          setChosen(!open)
        }}
      >
        <Icon name="chevron" />
        <Icon name="thought" />
        <span className="card-title">{thinking ? 'Thinking' : 'Thoughts'}</span>
        <span className="card-preview">{open ? '' : text.slice(0, 160)}</span>
      </summary>
      <div className="card-body plain">{text}</div>
    </details>
  )
}
