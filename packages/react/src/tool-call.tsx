import type {ToolPart} from '@unspool/client'
import type {ReactElement, ReactNode} from 'react'

export interface ToolCallProps {
  part: ToolPart
  /** Default: the tool's name, and what it is doing. */
  label?: ReactNode
}

const DOING: Record<ToolPart['status'], string> = {
  calling: 'called',
  running: 'running',
  done: 'done',
  failed: 'failed'
}

/** A tool call, folded: its arguments as they are written, and its result or its error. */
export function ToolCall({part, label}: ToolCallProps): ReactElement {
  const {name, status, args, args_text, result, error} = part
  const asked = args === undefined ? args_text : shown(args)
  return (
    <details className="unspool-tool" data-status={status} aria-busy={status === 'calling' || status === 'running'}>
      <summary>{label ?? `${name}: ${DOING[status]}`}</summary>
      {asked && <pre className="unspool-tool-args">{asked}</pre>}
      {result !== undefined && <pre className="unspool-tool-result">{shown(result)}</pre>}
      {error !== undefined && <p className="unspool-tool-error">{error}</p>}
    </details>
  )
}

function shown(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value, null, 2)
}
