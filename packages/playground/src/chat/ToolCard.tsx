import type {ToolPart} from '@unspool/client'
import {useState} from 'react'
import {Icon} from '../ui/Icon.js'
import {JsonView, pretty} from '../ui/JsonView.js'

const STATUS: Record<ToolPart['status'], string> = {
  calling: 'Writing arguments',
  running: 'Running',
  done: 'Done',
  failed: 'Failed'
}

/** A tool call: its arguments as they are written, and what came of it. `live`: it is open while one watches it. */
export function ToolCard({part, live}: {part: ToolPart; live: boolean}) {
  const [open, setOpen] = useState(live || part.status === 'failed')
  const {name, status, args, args_text, result, error} = part
  // A run that ended in mid-call leaves it so.
  const left = !live && (status === 'calling' || status === 'running')
  return (
    <details
      className="card tool"
      data-status={left ? 'left' : status}
      open={open}
      onToggle={event => setOpen(event.currentTarget.open)}
    >
      <summary>
        <Icon name="chevron" />
        <Icon name="tool" />
        <span className="card-title">{name}</span>
        <span className="card-preview">{open ? '' : preview(part)}</span>
        <span className="status">{left ? 'Cut off' : STATUS[status]}</span>
      </summary>
      <div className="card-body">
        <h4>Arguments</h4>
        <JsonView value={args ?? (args_text || {})} label={`Arguments of ${name}`} />
        {result !== undefined && (
          <div className="result">
            <h4>Result</h4>
            <JsonView value={result} label={`Result of ${name}`} />
          </div>
        )}
        {error !== undefined && <p className="wrong">{error}</p>}
      </div>
    </details>
  )
}

function preview({args, args_text, result}: ToolPart): string {
  const given = args === undefined ? args_text : JSON.stringify(args)
  return result === undefined ? given : `${given} → ${pretty(result)}`
}
