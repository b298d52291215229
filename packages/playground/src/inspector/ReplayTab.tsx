import {type KeyboardEvent, type ReactNode, useMemo, useState} from 'react'
import {duration, offset} from './format.js'
import {Replay, SPEEDS} from './replay.js'
import type {RunLog} from './run-log.js'
import {ScrollRegion} from './ScrollRegion.js'
import {summaryOf} from './summary.js'
import {TranscriptView} from './TranscriptView.js'
import {usePlayback} from './use-playback.js'

interface ReplayTabProps {
  log: RunLog
  version: number
}

/** Plays the run again as it went, faster or slower, from any moment. */
export function ReplayTab({log}: ReplayTabProps): ReactNode {
  const replay = useMemo(() => new Replay(log.records, log.times), [log])
  const playback = usePlayback(replay.seconds)
  // Events that were committed together have one time; a step from one to the next is told apart by this.
  const [chosen, setChosen] = useState<number>()
  const position = chosen ?? replay.positionAt(playback.seconds)
  const record = log.records[position - 1]

  function goTo(next: number): void {
    const place = Math.max(1, Math.min(log.records.length, Math.round(next) || 1))
    playback.pause()
    playback.seek(replay.timeAt(place))
    setChosen(place)
  }

  function keys(event: KeyboardEvent): void {
    const onSlider = event.target instanceof HTMLInputElement
    if (event.target instanceof HTMLSelectElement) return
    if ((event.key === ' ' && !(event.target instanceof HTMLButtonElement)) || event.key === 'k') {
      event.preventDefault()
      toggle()
    } else if (event.key === '.' || (event.key === 'ArrowRight' && !onSlider)) goTo(position + 1)
    else if (event.key === ',' || (event.key === 'ArrowLeft' && !onSlider)) goTo(position - 1)
  }

  function toggle(): void {
    if (playback.playing) playback.pause()
    else {
      setChosen(undefined)
      playback.play()
    }
  }

  if (log.records.length === 0) return <p className="insp-empty">Nothing has happened yet.</p>
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: the keys do what the buttons do
    <div className="insp-replay" onKeyDown={keys}>
      <div className="insp-bar insp-transport">
        <button type="button" onClick={() => goTo(position - 1)} aria-label="Event before" aria-keyshortcuts=",">
          ‹
        </button>
        <button type="button" className="insp-play" onClick={toggle} aria-keyshortcuts="k">
          {playback.playing ? 'Pause' : 'Play'}
        </button>
        <button type="button" onClick={() => goTo(position + 1)} aria-label="Next event" aria-keyshortcuts=".">
          ›
        </button>
        <label>
          Speed{' '}
          <select value={String(playback.speed)} onChange={event => playback.setSpeed(Number(event.target.value))}>
            {SPEEDS.map(speed => (
              <option key={speed} value={String(speed)}>
                {speed === Number.POSITIVE_INFINITY ? 'At once' : `${speed}×`}
              </option>
            ))}
          </select>
        </label>
        <label className="insp-seqfield">
          Event{' '}
          <input
            type="number"
            min={1}
            max={log.records.length}
            value={position}
            onChange={event => goTo(Number(event.target.value))}
          />
        </label>
      </div>
      <div className="insp-bar">
        <input
          type="range"
          className="insp-seek"
          aria-label="Moment of the run"
          aria-valuetext={`${offset(playback.seconds)} of ${duration(replay.seconds * 1000)}, event ${position} of ${log.records.length}`}
          min={0}
          max={Math.max(replay.seconds, 0.001)}
          step="any"
          value={playback.seconds}
          onChange={event => {
            setChosen(undefined)
            playback.seek(Number(event.target.value))
          }}
        />
        <output className="insp-count">
          {offset(playback.seconds)} / {duration(replay.seconds * 1000)}
        </output>
      </div>
      <p className="insp-now">
        {record ? (
          <>
            {record.seq}{' '}
            <span className="insp-type" data-type={record.event.type}>
              {record.event.type}
            </span>{' '}
            {summaryOf(record.event)}
          </>
        ) : (
          'Before the first event'
        )}
      </p>
      <ScrollRegion label="The run at this moment">
        <TranscriptView transcript={replay.transcriptAt(position)} />
      </ScrollRegion>
    </div>
  )
}
