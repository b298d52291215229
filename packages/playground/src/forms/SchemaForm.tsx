import type {JsonSchema} from '@unspool/client'
import {type ReactNode, useCallback, useEffect, useId, useMemo, useRef, useState} from 'react'
import {FieldView} from './FieldView.js'
import {Form, type FormContext} from './form-context.js'
import {Members} from './groups.js'
import {fieldOf} from './schema.js'
import {type Problem, problemsOf} from './validate.js'
import {completed} from './value.js'
import './forms.css'

export interface SchemaFormProps {
  schema: JsonSchema
  /** Undefined: nothing was filled in. What it must have, and can have in one way only, is put into it. */
  value: unknown
  /** Also told at first, and whenever the value or the errors change by themselves. Without errors, the value is valid. */
  onChange(value: unknown, errors: string[]): void
  label: string
  disabled?: boolean
}

/** A form for a JSON Schema (draft 2020-12). The value is always JSON; what is left empty is left out of it. */
export function SchemaForm({schema, value, onChange, label, disabled = false}: SchemaFormProps): ReactNode {
  const key = JSON.stringify(schema)
  // Equal schemas are one, so that a parent may make it anew on each render.
  const root = useMemo(() => JSON.parse(key) as JsonSchema, [key])
  const base = useId()
  const [refused, setRefused] = useState<ReadonlyMap<string, string>>(new Map())
  const told = useRef('')
  const latest = useRef(onChange)
  latest.current = onChange

  const text = JSON.stringify(value)
  const whole = useMemo(() => completed(root, text === undefined ? undefined : JSON.parse(text), root), [root, text])
  const problems = useMemo(() => check(root, whole, refused), [root, whole, refused])

  const tell = useCallback((next: unknown, errors: string[]): void => {
    told.current = JSON.stringify([next, errors])
    latest.current(next, errors)
  }, [])

  const errors = useMemo(() => inWords(problems), [problems])
  useEffect(() => {
    if (told.current !== JSON.stringify([whole, errors])) tell(whole, errors)
  }, [whole, errors, tell])

  const refuse = useCallback((pointer: string, message: string | undefined): void => {
    setRefused(before => {
      const after = new Map(before)
      if (message === undefined) after.delete(pointer)
      else after.set(pointer, message)
      return after
    })
  }, [])

  const form = useMemo(
    (): FormContext => ({
      root,
      disabled,
      messages: new Map(problems.map(({pointer, message}) => [pointer, message])),
      refuse,
      id: (pointer, suffix = 'control') => `${base}${pointer}-${suffix}`.replace(/\s/g, '_')
    }),
    [root, disabled, problems, refuse, base]
  )

  function change(next: unknown): void {
    const filled = completed(root, next, root)
    tell(filled, inWords(check(root, filled, refused)))
  }

  const field = fieldOf(root, root)
  return (
    <Form value={form}>
      {field.kind === 'object' ? (
        // biome-ignore lint/a11y/useSemanticElements: a fieldset would draw a frame around all of it
        <div role="group" aria-label={label} className="sf">
          {field.description && <p className="sf-hint">{field.description}</p>}
          <Members schema={field.schema} pointer="" value={whole} onChange={change} />
        </div>
      ) : (
        <div className="sf">
          <FieldView schema={root} pointer="" label={label} required value={whole} onChange={change} />
        </div>
      )}
    </Form>
  )
}

/** What is wrong with the value, and with what is written but is no value. */
function check(root: JsonSchema, value: unknown, refused: ReadonlyMap<string, string>): Problem[] {
  const found = problemsOf(root, value, root).filter(({pointer}) => !refused.has(pointer))
  return [...[...refused].map(([pointer, message]) => ({pointer, name: pointer.slice(1), message})), ...found]
}

function inWords(problems: readonly Problem[]): string[] {
  return problems.map(({name, message}) => (name ? `${name}: ${message}` : message))
}
