import type {DataEvent} from '@unspool/client'
import {Icon} from '../ui/Icon.js'
import {JsonView} from '../ui/JsonView.js'

/** The agent's own events, as it named them. */
export function DataList({data}: {data: readonly DataEvent[]}) {
  if (data.length === 0) return null
  return (
    <div className="data">
      {data.map(({name, id, value}, index) => (
        <details key={id ?? index} className="card">
          <summary>
            <Icon name="chevron" />
            <span className="card-title">{name}</span>
            <span className="card-preview">{JSON.stringify(value)}</span>
          </summary>
          <div className="card-body">
            <JsonView value={value} label={name} />
          </div>
        </details>
      ))}
    </div>
  )
}
