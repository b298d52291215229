import type {JsonSchema} from '@unspool/client'
import {lazy, useState} from 'react'
import {Dialog} from '../ui/Dialog.js'
import {Part} from '../ui/Part.js'

const SchemaForm = lazy(() => import('../forms/index.js').then(({SchemaForm}) => ({default: SchemaForm})))

interface ConfigDialogProps {
  schema: JsonSchema
  value: Record<string, unknown>
  onChange(value: Record<string, unknown>): void
  onClose(): void
}

/** What is sent with each run from now on. */
export function ConfigDialog({schema, value, onChange, onClose}: ConfigDialogProps) {
  const [errors, setErrors] = useState<readonly string[]>([])
  return (
    <Dialog title="Configuration" onClose={onClose}>
      <Part name="form">
        <SchemaForm
          schema={schema}
          value={value}
          label="Configuration"
          onChange={(next, wrong) => {
            setErrors(wrong)
            onChange((next ?? {}) as Record<string, unknown>)
          }}
        />
      </Part>
      <div className="row end">
        <p className="hint">{errors.length > 0 ? 'Some of it is not valid.' : 'Sent with each run from now on.'}</p>
        <button type="button" className="button" onClick={() => onChange({})}>
          Reset
        </button>
        <button type="button" className="button primary" onClick={onClose}>
          Done
        </button>
      </div>
    </Dialog>
  )
}
