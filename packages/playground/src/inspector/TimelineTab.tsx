import {type CSSProperties, type KeyboardEvent, type ReactNode, useEffect, useMemo, useRef, useState} from 'react'
import {flushSync} from 'react-dom'
import {count, duration, offset} from './format.js'
import type {RunLog} from './run-log.js'
import {TimelineTable} from './TimelineTable.js'
import {type Bar, barMs, type Mark, STATES, ticks} from './timeline.js'
import {type VirtualHandle, VirtualRows} from './VirtualRows.js'
import {Rows} from './window.js'

const ROW_HEIGHT = 26
const MAX_ZOOM = 64

interface TimelineTabProps {
  log: RunLog
  version: number
}

/** The waterfall of a run: what took how long, inside what. Grows while the run does. */
export function TimelineTab({log, version}: TimelineTabProps): ReactNode {
  const {timeline} = log
  const now = useNow(log, version)
  const [zoom, setZoom] = useState(1)
  const [asTable, setAsTable] = useState(false)
  const [active, setActive] = useState(0)
  const [pointed, setPointed] = useState<number>()
  const list = useRef<VirtualHandle>(null)
  const root = useRef<HTMLDivElement>(null)
  const bars = timeline.rows()
  const rows = useMemo(() => new Rows(bars.length, ROW_HEIGHT), [bars.length])
  const whole = Math.max(now, 0.001)
  const shown = bars[pointed ?? active]

  function scale(to: number): void {
    setZoom(Math.max(1, Math.min(MAX_ZOOM, to)))
  }

  function keys(event: KeyboardEvent): void {
    const zooms: Record<string, number> = {'+': zoom * 2, '=': zoom * 2, '-': zoom / 2, '0': 1}
    const to = zooms[event.key]
    if (to !== undefined && !event.ctrlKey && !event.metaKey) {
      event.preventDefault()
      scale(to)
    }
  }

  function move(event: KeyboardEvent, row: number): void {
    const last = bars.length - 1
    const places: Record<string, number> = {ArrowDown: row + 1, ArrowUp: row - 1, Home: 0, End: last}
    const place = places[event.key]
    if (place === undefined) return
    event.preventDefault()
    const next = Math.max(0, Math.min(last, place))
    // The active row exists, wherever it is. Now, so that the next key already comes from there.
    flushSync(() => setActive(next))
    root.current?.querySelector<HTMLElement>(`[data-bar="${next}"]`)?.focus({preventScroll: true})
    list.current?.reveal(next)
  }

  if (bars.length === 0) {
    return <p className="insp-empty">{log.end ? 'Nothing in this run took time.' : 'Nothing has happened yet.'}</p>
  }
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: the keys zoom, as the buttons do
    <div ref={root} className="insp-timeline" style={{'--zoom': zoom} as CSSProperties} onKeyDown={keys}>
      <div className="insp-bar">
        <span className="insp-count">
          {count(bars.length)} {bars.length === 1 ? 'bar' : 'bars'} in {duration(whole * 1000)}
        </span>
        <button type="button" aria-pressed={asTable} onClick={() => setAsTable(!asTable)}>
          Table
        </button>
        <button type="button" aria-label="Zoom out" disabled={asTable || zoom === 1} onClick={() => scale(zoom / 2)}>
          −
        </button>
        <button
          type="button"
          disabled={asTable || zoom === 1}
          onClick={() => scale(1)}
          aria-label={`${zoom}×, fit to width`}
        >
          {zoom}×
        </button>
        <button
          type="button"
          aria-label="Zoom in"
          disabled={asTable || zoom === MAX_ZOOM}
          onClick={() => scale(zoom * 2)}
        >
          +
        </button>
      </div>
      {asTable ? (
        <TimelineTable bars={bars} marks={timeline.marks} now={now} />
      ) : (
        <>
          <VirtualRows
            rows={rows}
            label="Timeline"
            handle={list}
            keep={active}
            className="insp-waterfall"
            header={<Ruler seconds={whole} zoom={zoom} marks={timeline.marks} />}
          >
            {row => {
              const bar = bars[row]
              return (
                bar && (
                  <button
                    type="button"
                    data-bar={row}
                    className="insp-bar-row"
                    tabIndex={row === Math.min(active, bars.length - 1) ? 0 : -1}
                    onFocus={() => setActive(row)}
                    onClick={() => setActive(row)}
                    onPointerEnter={() => setPointed(row)}
                    onPointerLeave={() => setPointed(undefined)}
                    onKeyDown={event => move(event, row)}
                  >
                    <span className="insp-bar-name" style={{paddingInlineStart: 8 + Math.min(bar.depth, 8) * 12}}>
                      <i className={`insp-dot insp-${bar.kind}`} />
                      {bar.name}
                      <span className="insp-hidden"> {bar.kind} </span>
                    </span>
                    <span className="insp-track">
                      <BarShape bar={bar} now={now} whole={whole} />
                      <span className="insp-hidden">{described(bar)}</span>
                    </span>
                  </button>
                )
              )
            }}
          </VirtualRows>
          {shown && <Details bar={shown} now={now} />}
        </>
      )}
    </div>
  )
}

/** Seconds since the start of the run, by the newest record; while nothing comes, the clock goes on from there. */
function useNow(log: RunLog, version: number): number {
  const [, setTick] = useState(0)
  const heard = useRef({version: -1, at: 0})
  if (heard.current.version !== version) heard.current = {version, at: performance.now()}
  const live = log.end === undefined && log.records.length > 0
  useEffect(() => {
    if (!live) return
    const timer = setInterval(() => setTick(tick => tick + 1), 250)
    return () => clearInterval(timer)
  }, [live])
  return log.seconds + (live ? (performance.now() - heard.current.at) / 1000 : 0)
}

function described(bar: Bar): string {
  return [` from ${offset(bar.start)} s`, STATES[bar.state], ...(bar.detail ? [bar.detail] : [])].join(', ')
}

function BarShape({bar, now, whole}: {bar: Bar; now: number; whole: number}): ReactNode {
  const length = barMs(bar, now) / 1000
  const waited = Math.min(length, (bar.ready ?? bar.start) - bar.start)
  const left = (bar.start / whole) * 100
  return (
    <>
      <span
        className={`insp-shape insp-${bar.kind} insp-is-${bar.state}`}
        style={{left: `${left}%`, width: `${(length / whole) * 100}%`}}
      >
        {waited > 0 && <span className="insp-wait" style={{width: `${(waited / length) * 100}%`}} />}
      </span>
      <span className="insp-length" style={{left: `${left + (length / whole) * 100}%`}}>
        {duration(length * 1000)}
      </span>
    </>
  )
}

function Ruler({seconds, zoom, marks}: {seconds: number; zoom: number; marks: readonly Mark[]}): ReactNode {
  return (
    <div className="insp-ruler" aria-hidden="true">
      <span className="insp-bar-name" />
      <span className="insp-track">
        {ticks(seconds, 5 * zoom).map(tick => (
          <span key={tick} className="insp-tick" style={{left: `${(tick / seconds) * 100}%`}}>
            {duration(tick * 1000)}
          </span>
        ))}
        {marks.map(mark => (
          <span
            key={mark.seq}
            className={`insp-mark insp-${mark.kind}`}
            title={mark.label}
            style={{left: `${(mark.time / seconds) * 100}%`}}
          />
        ))}
      </span>
    </div>
  )
}

function Details({bar, now}: {bar: Bar; now: number}): ReactNode {
  const ready = bar.ready === undefined ? undefined : duration((bar.ready - bar.start) * 1000)
  const facts: [string, string | undefined][] = [
    ['Began', `${offset(bar.start)} s, event ${bar.startSeq}`],
    ['Took', duration(barMs(bar, now))],
    ['State', STATES[bar.state]],
    [bar.kind === 'tool' ? 'Arguments complete after' : 'First text after', ready],
    ['Pieces of text', bar.pieces > 0 ? count(bar.pieces) : undefined],
    ['Inside', bar.parent?.name],
    [bar.state === 'failed' ? 'Error' : 'Finish reason', bar.detail],
    ['Id', bar.id]
  ]
  return (
    <dl className="insp-details">
      <div>
        <dt>{bar.kind}</dt>
        <dd>{bar.name}</dd>
      </div>
      {facts.map(
        ([name, value]) =>
          value !== undefined && (
            <div key={name}>
              <dt>{name}</dt>
              <dd>{value}</dd>
            </div>
          )
      )}
    </dl>
  )
}
