import type {UnspoolRecord} from '@unspool/client'
import type {ReactNode} from 'react'
import {ndjsonOf} from './run-log.js'
import {ScrollRegion} from './ScrollRegion.js'

const LINE_HEIGHT = 18
const MAX_LINES = 16
const MAX_CHARS = 20_000

/** Pixels around the text: paddings and the buttons. */
export const PANEL_FRAME = 56

const texts = new WeakMap<UnspoolRecord, string>()

/** The event as JSON, as far as a person reads. */
function textOf(record: UnspoolRecord): string {
  const known = texts.get(record)
  if (known !== undefined) return known
  const whole = JSON.stringify(record.event, null, 2)
  const more = whole.length - MAX_CHARS
  const text = more > 0 ? `${whole.slice(0, MAX_CHARS)}\n… and ${more} characters more; Copy has all of them.` : whole
  texts.set(record, text)
  return text
}

/** How high the panel of a record is, in pixels: known before it is drawn, since its lines do not wrap. */
export function panelHeight(record: UnspoolRecord): number {
  return Math.min(MAX_LINES, textOf(record).split('\n').length) * LINE_HEIGHT + PANEL_FRAME
}

interface EventPanelProps {
  record: UnspoolRecord
  /** Of the text, in pixels. */
  height: number
  onCopy(text: string, what: string): void
}

/** One event in full. */
export function EventPanel({record, height, onCopy}: EventPanelProps): ReactNode {
  const name = `event ${record.seq}`
  return (
    <div className="insp-event-panel">
      <div className="insp-event-actions">
        <button type="button" onClick={() => onCopy(JSON.stringify(record.event, null, 2), name)}>
          Copy JSON
        </button>
        <button type="button" onClick={() => onCopy(ndjsonOf(record), `${name} as NDJSON`)}>
          Copy NDJSON
        </button>
      </div>
      <ScrollRegion label={`JSON of ${name}`} style={{height}}>
        <pre>{textOf(record)}</pre>
      </ScrollRegion>
    </div>
  )
}
