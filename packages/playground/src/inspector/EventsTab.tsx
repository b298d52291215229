import type {UnspoolRecord} from '@unspool/client'
import {type KeyboardEvent, type ReactNode, useMemo, useRef, useState} from 'react'
import {flushSync} from 'react-dom'
import {EventPanel, PANEL_FRAME, panelHeight} from './EventPanel.js'
import {count, moment, offset, plural} from './format.js'
import {ndjsonOf, type RunLog} from './run-log.js'
import {EventRows} from './search.js'
import {summaryOf} from './summary.js'
import {type VirtualHandle, VirtualRows} from './VirtualRows.js'
import {Rows} from './window.js'

export const ROW_HEIGHT = 28

interface EventsTabProps {
  log: RunLog
  version: number
  /** Copies, and says so. */
  onCopy(text: string, what: string): void
}

/** The raw events: filtered, searched, opened, copied. Follows the end unless the reader has scrolled away. */
export function EventsTab({log, version, onCopy}: EventsTabProps): ReactNode {
  const events = useMemo(() => new EventRows(log.records), [log])
  const [types, setTypes] = useState<ReadonlySet<string>>(new Set())
  const [query, setQuery] = useState('')
  const [match, setMatch] = useState(-1)
  const [active, setActive] = useState(0)
  const [follow, setFollow] = useState(true)
  const [opened, setOpened] = useState<ReadonlySet<number>>(new Set())
  const list = useRef<VirtualHandle>(null)
  const root = useRef<HTMLDivElement>(null)

  // biome-ignore lint/correctness/useExhaustiveDependencies: `events` changes in place, by these
  const rows = useMemo(() => {
    events.update()
    const panels = new Map<number, number>()
    for (const index of opened) {
      const record = log.records[index]
      const row = events.rows.indexOf(index)
      if (record && row >= 0) panels.set(row, panelHeight(record))
    }
    return new Rows(events.rows.length, ROW_HEIGHT, panels)
  }, [events, log, opened, version, types, query])

  function choose(type: string): void {
    const next = new Set(types)
    if (!next.delete(type)) next.add(type)
    events.filter(next)
    setTypes(next)
    setMatch(-1)
    setActive(0)
  }

  function search(text: string): void {
    events.search(text)
    setQuery(text)
    setMatch(events.matches.length > 0 ? 0 : -1)
    if (events.matches[0] !== undefined) show(events.matches[0])
  }

  function step(direction: 1 | -1): void {
    const next = events.step(match === -1 && direction === 1 ? -1 : active, direction)
    const row = events.matches[next]
    if (row === undefined) return
    setMatch(next)
    show(row)
  }

  function show(row: number): void {
    setFollow(false)
    setActive(row)
    list.current?.reveal(row)
  }

  function toggle(index: number): void {
    const next = new Set(opened)
    if (!next.delete(index)) next.add(index)
    setFollow(false)
    setOpened(next)
  }

  function move(event: KeyboardEvent, row: number): void {
    const last = events.rows.length - 1
    const places: Record<string, number> = {
      ArrowDown: row + 1,
      ArrowUp: row - 1,
      PageDown: row + 15,
      PageUp: row - 15,
      Home: 0,
      End: last
    }
    const place = places[event.key]
    if (place === undefined) return
    event.preventDefault()
    const next = Math.max(0, Math.min(last, place))
    // The active row exists, wherever it is. Now, so that the next key already comes from there.
    flushSync(() => setActive(next))
    root.current?.querySelector<HTMLElement>(`[data-row="${next}"]`)?.focus({preventScroll: true})
    show(next)
  }

  const kept = (): UnspoolRecord[] => events.rows.flatMap(index => log.records[index] ?? [])

  return (
    <div ref={root} className="insp-events">
      <div className="insp-bar">
        <input
          type="search"
          className="insp-search"
          placeholder="Search events"
          aria-label="Search events"
          aria-keyshortcuts="Enter Shift+Enter"
          value={query}
          onChange={event => search(event.target.value)}
          onKeyDown={event => {
            if (event.key === 'Enter') step(event.shiftKey ? -1 : 1)
          }}
        />
        <output className="insp-count">
          {query.trim()
            ? events.matches.length > 0
              ? `${match + 1} of ${count(events.matches.length)}`
              : 'No match'
            : ''}
        </output>
        <button
          type="button"
          disabled={events.matches.length === 0}
          onClick={() => step(-1)}
          aria-label="Previous match"
        >
          ↑
        </button>
        <button type="button" disabled={events.matches.length === 0} onClick={() => step(1)} aria-label="Next match">
          ↓
        </button>
        <button
          type="button"
          onClick={() => onCopy(kept().map(ndjsonOf).join(''), plural(events.rows.length, 'event'))}
          title={types.size > 0 ? 'Copy the events that are shown, as NDJSON' : 'Copy all events as NDJSON'}
        >
          {types.size > 0 ? 'Copy shown' : 'Copy all'}
        </button>
      </div>
      <fieldset className="insp-chips">
        <legend className="insp-hidden">Show only these types</legend>
        {[...log.counts].map(([type, number]) => (
          <button key={type} type="button" aria-pressed={types.has(type)} onClick={() => choose(type)}>
            <span className="insp-type" data-type={type}>
              {type}
            </span>{' '}
            {number}
          </button>
        ))}
      </fieldset>
      <VirtualRows rows={rows} label="Events" handle={list} keep={active} follow={follow} onFollow={setFollow}>
        {row => {
          const index = events.rows[row] ?? -1
          const record = log.records[index]
          if (!record) return null
          const open = opened.has(index)
          return (
            <>
              <button
                type="button"
                data-row={row}
                className="insp-event"
                aria-expanded={open}
                data-match={query.trim() !== '' && events.matches[match] === row ? 'current' : undefined}
                tabIndex={row === Math.min(active, events.rows.length - 1) ? 0 : -1}
                onFocus={() => setActive(row)}
                onClick={() => toggle(index)}
                onKeyDown={event => move(event, row)}
              >
                <span className="insp-seq">{record.seq}</span>
                <time className="insp-time" dateTime={moment(record.at)} title={moment(record.at)}>
                  {offset(log.times[index] ?? 0)}
                </time>
                <span className="insp-type" data-type={record.event.type}>
                  {record.event.type}
                </span>
                <span className="insp-summary">{summaryOf(record.event)}</span>
              </button>
              {open && <EventPanel record={record} height={panelHeight(record) - PANEL_FRAME} onCopy={onCopy} />}
            </>
          )
        }}
      </VirtualRows>
      {!follow && !log.end && (
        <button type="button" className="insp-jump" onClick={() => setFollow(true)}>
          Follow the newest
        </button>
      )}
    </div>
  )
}
