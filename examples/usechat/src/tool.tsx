import {type DynamicToolUIPart, getToolName, type ToolUIPart} from 'ai'

type ToolPart = ToolUIPart | DynamicToolUIPart

/** Told of what the person decided about a tool call. */
export type Decide = (approval: {id: string; approved: boolean}) => void

interface ToolProps {
  part: ToolPart
  live: boolean
  onDecide: Decide
}

/** A tool call: what it is asked, what it gave, and the question whether it may run. */
export function Tool({part, live, onDecide}: ToolProps) {
  const name = getToolName(part)
  if (part.state === 'approval-requested') {
    const {id} = part.approval
    const question = `${id}-question`
    return (
      <section className="approval" aria-labelledby={question}>
        <p id={question}>
          May the agent run <code>{name}</code>?
        </p>
        <pre>{shown(part.input)}</pre>
        <div className="actions">
          <button type="button" className="primary" onClick={() => onDecide({id, approved: true})}>
            Approve
          </button>
          <button type="button" onClick={() => onDecide({id, approved: false})}>
            Reject
          </button>
        </div>
      </section>
    )
  }
  return (
    <details className="fold" data-state={part.state}>
      <summary>
        <code>{name}</code> {doing(part, live)}
      </summary>
      {part.input !== undefined && <pre>{shown(part.input)}</pre>}
      {part.state === 'output-available' && <pre>{shown(part.output)}</pre>}
      {part.state === 'output-error' && <p className="bad">{part.errorText}</p>}
    </details>
  )
}

function doing(part: ToolPart, live: boolean): string {
  switch (part.state) {
    case 'output-available':
      return 'is done'
    case 'output-error':
      return 'failed'
    case 'output-denied':
      return 'was rejected'
    case 'approval-responded':
      return part.approval.approved ? 'was approved' : 'was rejected'
    default:
      return live ? 'is running…' : 'was stopped'
  }
}

function shown(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value, null, 2)
}
