import type {ReactNode} from 'react'
import {duration, offset} from './format.js'
import {ScrollRegion} from './ScrollRegion.js'
import {type Bar, barMs, type Mark, STATES} from './timeline.js'

const MAX_ROWS = 1000

interface TimelineTableProps {
  bars: readonly Bar[]
  marks: readonly Mark[]
  /** Seconds since the start of the run. */
  now: number
}

/** The timeline in words. */
export function TimelineTable({bars, marks, now}: TimelineTableProps): ReactNode {
  return (
    <ScrollRegion label="Timeline as a table">
      <table className="insp-table">
        <thead>
          <tr>
            <th scope="col">Name</th>
            <th scope="col">Kind</th>
            <th scope="col">Inside</th>
            <th scope="col">Began (s)</th>
            <th scope="col">Took</th>
            <th scope="col">State</th>
          </tr>
        </thead>
        <tbody>
          {bars.slice(0, MAX_ROWS).map(bar => (
            <tr key={bar.key}>
              <th scope="row">{bar.name}</th>
              <td>{bar.kind}</td>
              <td>{bar.parent?.name ?? '–'}</td>
              <td>{offset(bar.start)}</td>
              <td>{duration(barMs(bar, now))}</td>
              <td>{[STATES[bar.state], bar.detail].filter(Boolean).join(': ')}</td>
            </tr>
          ))}
          {marks.map(mark => (
            <tr key={`mark ${mark.seq}`}>
              <th scope="row">{mark.label}</th>
              <td>{mark.kind}</td>
              <td>–</td>
              <td>{offset(mark.time)}</td>
              <td>–</td>
              <td>–</td>
            </tr>
          ))}
        </tbody>
      </table>
      {bars.length > MAX_ROWS && <p>{bars.length - MAX_ROWS} more are not listed.</p>}
    </ScrollRegion>
  )
}
