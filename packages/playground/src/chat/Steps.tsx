import type {Step} from '@unspool/client'
import {Icon} from '../ui/Icon.js'
import {JsonView} from '../ui/JsonView.js'

/** The steps of a graph, nested as they are, and its state. `live`: those that are not done are at work. */
export function Steps({steps, state, live}: {steps: readonly Step[]; state: unknown; live: boolean}) {
  if (steps.length === 0 && state === undefined) return null
  const known = new Set(steps.map(({id}) => id))
  const roots = steps.filter(({parent_id}) => parent_id === undefined || !known.has(parent_id))
  return (
    <div className="steps">
      {steps.length > 0 && <Branch of={roots} steps={steps} live={live} label="Steps" />}
      {state !== undefined && (
        <details className="state">
          <summary>
            <Icon name="chevron" />
            State
          </summary>
          <JsonView value={state} label="State of the graph" />
        </details>
      )}
    </div>
  )
}

function Branch({of, steps, live, label}: {of: readonly Step[]; steps: readonly Step[]; live: boolean; label: string}) {
  return (
    <ol className="chips" aria-label={label}>
      {of.map(step => {
        const within = steps.filter(({parent_id, id}) => parent_id === step.id && id !== step.id)
        const how = step.done ? 'done' : live ? 'running' : 'cut off'
        return (
          <li key={step.id} data-how={how}>
            <span className="chip">
              {step.done && <Icon name="check" />}
              {step.name}
              <span className="visually-hidden">, {how}</span>
            </span>
            {within.length > 0 && <Branch of={within} steps={steps} live={live} label={`Steps of ${step.name}`} />}
          </li>
        )
      })}
    </ol>
  )
}
