import {type KeyboardEvent, lazy, type PointerEvent, type ReactNode, useRef} from 'react'
import {inspectorWidth} from '../preferences.js'
import {useStored} from '../stored.js'
import {Dialog} from '../ui/Dialog.js'
import {Part} from '../ui/Part.js'
import {useMediaQuery} from '../ui/useMediaQuery.js'

const Inspector = lazy(() => import('../inspector/index.js').then(({Inspector}) => ({default: Inspector})))

interface InspectorPaneProps {
  url: string
  headers: Record<string, string> | undefined
  runId: string
  agentName: string
  onClose(): void
}

const LEAST = 340
const MOST = 1000
const STEP = 40

/** The inspector beside the chat, as wide as one likes; over all of the page where there is no room for both. */
export function InspectorPane({url, headers, runId, agentName, onClose}: InspectorPaneProps) {
  const narrow = useMediaQuery('(max-width: 900px)')
  const inspector = (
    <Part name="inspector">
      <Inspector
        key={runId}
        url={url}
        runId={runId}
        agentName={agentName}
        onClose={onClose}
        {...(headers && {headers})}
      />
    </Part>
  )
  if (narrow) {
    return (
      <Dialog title="Run inspector" shape="sheet" bare onClose={onClose}>
        {inspector}
      </Dialog>
    )
  }
  return <SidePane>{inspector}</SidePane>
}

function SidePane({children}: {children: ReactNode}) {
  const [width, setWidth] = useStored(inspectorWidth)
  const pane = useRef<HTMLElement>(null)
  const resize = (next: number) => setWidth(Math.round(Math.min(Math.max(next, LEAST), MOST)))
  const onPointerMove = (event: PointerEvent) => {
    if (!event.currentTarget.hasPointerCapture(event.pointerId)) return
    resize((pane.current?.getBoundingClientRect().right ?? 0) - event.clientX)
  }
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key === 'ArrowLeft') resize(width + STEP)
    else if (event.key === 'ArrowRight') resize(width - STEP)
    else return
    event.preventDefault()
  }
  return (
    <aside ref={pane} className="inspector-pane" aria-label="Run inspector" style={{width}}>
      {/* biome-ignore lint/a11y/useSemanticElements: a separator that moves has no element of its own. */}
      <div
        className="resizer"
        role="separator"
        tabIndex={0}
        aria-label="Width of the inspector"
        aria-orientation="vertical"
        aria-valuenow={width}
        aria-valuemin={LEAST}
        aria-valuemax={MOST}
        onPointerDown={event => event.currentTarget.setPointerCapture(event.pointerId)}
        onPointerMove={onPointerMove}
        onKeyDown={onKeyDown}
      />
      {children}
    </aside>
  )
}
