import type {ConnectionState, RunSnapshot} from '@unspool/client'
import {type ReactNode, useCallback, useEffect, useRef, useState} from 'react'
import {ChartsTab} from './ChartsTab.js'
import {CodeTab} from './CodeTab.js'
import {EventsTab} from './EventsTab.js'
import type {Follower} from './follower.js'
import {count, duration, plural} from './format.js'
import {ReplayTab} from './ReplayTab.js'
import {ndjsonOf, type RunLog} from './run-log.js'
import {copyText, download, shareLink} from './share.js'
import {type Call, headerNames} from './snippets.js'
import {type Tab, Tabs} from './Tabs.js'
import {TimelineTab} from './TimelineTab.js'
import {useFollower} from './use-follower.js'
import './inspector.css'

type TabName = 'events' | 'timeline' | 'charts' | 'replay' | 'code'

const TABS: readonly Tab<TabName>[] = [
  {name: 'events', label: 'Events'},
  {name: 'timeline', label: 'Timeline'},
  {name: 'charts', label: 'Charts'},
  {name: 'replay', label: 'Replay'},
  {name: 'code', label: 'Code'}
]

export interface InspectorProps {
  /** Of the agent's mount. */
  url: string
  headers?: HeadersInit | undefined
  runId: string
  /** As the hash of the page names the agent. */
  agentName: string
  onClose(): void
}

/** All about one run, while it goes on or later. It follows the run by itself. */
export function Inspector({url, headers, runId, agentName, onClose}: InspectorProps): ReactNode {
  const followed = useFollower(url, headers, runId)
  const [tab, setTab] = useState<TabName>('events')
  const [said, say] = useNotice()

  const copy = useCallback(
    (text: string, what: string): void => {
      copyText(text).then(done => say(done ? `Copied ${what}.` : `The browser did not allow to copy ${what}.`))
    },
    [say]
  )

  if (!followed) return <section className="insp" aria-label="Run" aria-busy="true" />
  const {follower, version} = followed
  const {log} = follower
  const snapshot = follower.snapshot()
  const threadId = log.start?.thread_id

  function callOf(): Call {
    const {input, resumes} = log.start ?? {}
    const {config, answers} = follower.request ?? {}
    return {
      url: new URL(url, location.href).href.replace(/\/$/, ''),
      headers: headerNames(headers),
      input,
      ...(threadId !== undefined && {threadId}),
      ...(resumes !== undefined && {resumes}),
      ...(answers !== undefined && {answers}),
      ...(config !== undefined && {config})
    }
  }

  return (
    <section className="insp" aria-label="Run">
      <header className="insp-head">
        <div className="insp-title">
          <h2>{agentName}</h2>
          <span className={`insp-status insp-is-${snapshot.status}`}>{snapshot.status}</span>
          <button type="button" className="insp-close" onClick={onClose} aria-label="Close the inspector">
            ✕
          </button>
        </div>
        <div className="insp-run">
          <code title={runId}>{runId}</code>
          <button type="button" onClick={() => copy(shareLink(location.href, agentName, threadId, runId), 'the link')}>
            Share link
          </button>
          <button
            type="button"
            disabled={log.records.length === 0}
            onClick={() => download(`${runId}.ndjson`, log.records.map(ndjsonOf))}
          >
            Download
          </button>
        </div>
        <Facts log={log} snapshot={snapshot} />
        <Connection snapshot={snapshot} follower={follower} ended={log.end !== undefined} />
      </header>
      <Tabs<TabName> tabs={TABS} current={tab} onChange={setTab} label="Views of the run">
        {tab === 'events' && <EventsTab key={runId} log={log} version={version} onCopy={copy} />}
        {tab === 'timeline' && <TimelineTab key={runId} log={log} version={version} />}
        {tab === 'charts' && <ChartsTab log={log} version={version} />}
        {tab === 'replay' && <ReplayTab key={runId} log={log} version={version} />}
        {tab === 'code' && <CodeTab call={callOf()} onCopy={copy} />}
      </Tabs>
      <output className="insp-said" aria-live="polite">
        {said}
      </output>
    </section>
  )
}

function Facts({log, snapshot}: {log: RunLog; snapshot: RunSnapshot}): ReactNode {
  const {metrics, usage, attempt} = snapshot
  const {latency} = log
  const first = metrics?.ttft_ms ?? latency.firstMs
  const speed = metrics?.tokens_per_second ?? latency.piecesPerSecond
  const facts = [
    plural(log.records.length, 'event'),
    duration(metrics?.elapsed_ms ?? log.seconds * 1000),
    plural(metrics?.tokens ?? latency.pieces, 'token'),
    first !== undefined && `first after ${duration(first)}`,
    speed !== undefined && `${count(speed)} tokens/s`,
    usage &&
      `${count(usage.input_tokens)} in, ${count(usage.output_tokens)} out${usage.model ? ` · ${usage.model}` : ''}`,
    attempt > 1 && `attempt ${attempt}`
  ].filter(fact => typeof fact === 'string')
  return (
    <ul className="insp-summary-line" aria-label="Numbers of the run">
      {facts.map(fact => (
        <li key={fact}>{fact}</li>
      ))}
    </ul>
  )
}

const CONNECTION: Record<ConnectionState['state'], string> = {
  connecting: 'Connecting',
  open: 'Live',
  waiting: 'The connection was lost; trying again soon',
  offline: 'This device is offline',
  closed: 'Not connected'
}

function Connection({
  snapshot,
  follower,
  ended
}: {
  snapshot: RunSnapshot
  follower: Follower
  ended: boolean
}): ReactNode {
  const {connection, problem, timing} = snapshot
  // An error of the run itself is among its events.
  if (problem && !ended) {
    return (
      <p className="insp-problem" role="alert">
        <b>{problem.code}</b> {problem.message}
      </p>
    )
  }
  if (ended) return null
  return (
    <p className="insp-connection" data-state={connection.state}>
      <span role="status">{CONNECTION[connection.state]}</span>
      {timing.reconnects > 0 && <span> · {plural(timing.reconnects, 'reconnect')}</span>}
      {connection.state === 'waiting' && (
        <button type="button" onClick={() => follower.reconnect()}>
          Try now
        </button>
      )}
    </p>
  )
}

/** A line that is said once, and goes away after a while. */
function useNotice(): [string, (text: string) => void] {
  const [said, setSaid] = useState('')
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined)
  const say = useCallback((text: string): void => {
    clearTimeout(timer.current)
    setSaid(text)
    timer.current = setTimeout(() => setSaid(''), 4000)
  }, [])
  useEffect(() => () => clearTimeout(timer.current), [])
  return [said, say]
}
