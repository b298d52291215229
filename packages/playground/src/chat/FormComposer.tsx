import type {JsonSchema} from '@unspool/client'
import {lazy, useState} from 'react'
import {Icon} from '../ui/Icon.js'
import {Part} from '../ui/Part.js'

const SchemaForm = lazy(() => import('../forms/index.js').then(({SchemaForm}) => ({default: SchemaForm})))

interface FormComposerProps {
  schema: JsonSchema
  /** As JSON. Empty: nothing was filled in. */
  draft: string
  running: boolean
  onDraft(draft: string): void
  onSubmit(input: unknown): void
  onStop(): void
}

/** What one fills in where the agent is not a chat. */
export function FormComposer({schema, draft, running, onDraft, onSubmit, onStop}: FormComposerProps) {
  const [errors, setErrors] = useState<readonly string[]>([])
  const value = parsed(draft)
  return (
    <section className="composer form-composer" aria-label="Input">
      <div className="form-scroll">
        <Part name="form">
          <SchemaForm
            schema={schema}
            value={value}
            label="Input"
            onChange={(next, wrong) => {
              onDraft(JSON.stringify(next) ?? '')
              setErrors(wrong)
            }}
          />
        </Part>
      </div>
      <div className="composer-row">
        <p className="hint">{errors.length > 0 ? `To be filled in: ${errors.length}` : ''}</p>
        {running && (
          <button type="button" className="button" onClick={onStop}>
            <Icon name="stop" /> Stop
          </button>
        )}
        <button type="button" className="button primary" disabled={errors.length > 0} onClick={() => onSubmit(value)}>
          Run
        </button>
      </div>
    </section>
  )
}

function parsed(draft: string): unknown {
  try {
    return draft ? JSON.parse(draft) : undefined
  } catch {
    return undefined
  }
}
