import type {JsonSchema} from '@unspool/client'
import {type ReactNode, useState} from 'react'
import type {FieldProps} from './FieldView.js'
import {useRefusal} from './form-context.js'
import {Labelled} from './Labelled.js'
import type {Field} from './schema.js'

/** The description, the limits and the default of a field, in a line. */
export function hintOf({schema, description}: Field): string | undefined {
  const {minimum, maximum, default: preset} = schema
  const range =
    typeof minimum === 'number' && typeof maximum === 'number'
      ? `${minimum} to ${maximum}`
      : typeof minimum === 'number'
        ? `at least ${minimum}`
        : typeof maximum === 'number'
          ? `at most ${maximum}`
          : undefined
  const shown = preset !== undefined && preset !== null && typeof preset !== 'object' && preset !== ''
  const facts = [range, shown && typeof preset !== 'boolean' && `default: ${preset}`].filter(Boolean).join('; ')
  return [description, facts && `(${facts})`].filter(Boolean).join(' ') || undefined
}

/** What an empty field stands for. */
function emptied({nullable}: Field, required: boolean): null | undefined {
  return nullable && required ? null : undefined
}

const LONG = /text|prompt|question|body|content|message|description|note|instruction|query|summary/i
const INPUTS: Record<string, string> = {date: 'date', password: 'password', email: 'email', uri: 'url'}

function isLong({format, maxLength, pattern}: JsonSchema, name: string, value: unknown): boolean {
  if (format === 'textarea' || (typeof value === 'string' && (value.includes('\n') || value.length > 80))) return true
  if (format !== undefined || pattern !== undefined) return false
  return typeof maxLength === 'number' ? maxLength > 120 : LONG.test(name)
}

export function TextField({field, pointer, label, required, value, onChange}: FieldProps): ReactNode {
  const {schema} = field
  const [long] = useState(() => isLong(schema, pointer.split('/').at(-1) ?? '', value))
  const text = typeof value === 'string' ? value : ''
  const change = (next: string): void => onChange(next === '' ? emptied(field, required) : next)
  return (
    <Labelled pointer={pointer} label={label} required={required} hint={hintOf(field)}>
      {control =>
        long ? (
          <textarea {...control} rows={2} value={text} onChange={event => change(event.target.value)} />
        ) : (
          <input
            {...control}
            type={INPUTS[String(schema.format)] ?? 'text'}
            autoComplete="off"
            value={text}
            onChange={event => change(event.target.value)}
          />
        )
      }
    </Labelled>
  )
}

/** What is written, and the value that it made: written text is kept as long as the value is still that. */
interface Draft {
  text: string
  value: unknown
}

export function NumberField({field, pointer, label, required, value, onChange}: FieldProps): ReactNode {
  const [draft, setDraft] = useState<Draft>()
  const text = draft && Object.is(draft.value, value) ? draft.text : typeof value === 'number' ? String(value) : ''
  const number = Number(text.replace(',', '.'))
  const wrong = text.trim() !== '' && !Number.isFinite(number)
  useRefusal(pointer, wrong ? 'This must be a number.' : undefined)

  function change(next: string): void {
    const read = Number(next.replace(',', '.'))
    const made = next.trim() === '' ? emptied(field, required) : Number.isFinite(read) ? read : value
    setDraft({text: next, value: made})
    if (!Object.is(made, value)) onChange(made)
  }

  return (
    <Labelled pointer={pointer} label={label} required={required} hint={hintOf(field)}>
      {control => (
        <input
          {...control}
          type="text"
          inputMode={field.kind === 'integer' ? 'numeric' : 'decimal'}
          autoComplete="off"
          value={text}
          onChange={event => change(event.target.value)}
        />
      )}
    </Labelled>
  )
}

export function BooleanField({field, pointer, label, required, value, onChange}: FieldProps): ReactNode {
  if (field.nullable) {
    return <ChoiceField {...{pointer, label, required, value, onChange}} field={{...field, options: [true, false]}} />
  }
  const checked = typeof value === 'boolean' ? value : field.schema.default === true
  return (
    <Labelled pointer={pointer} label={label} required={false} hint={hintOf(field)} after>
      {control => (
        <input {...control} type="checkbox" checked={checked} onChange={event => onChange(event.target.checked)} />
      )}
    </Labelled>
  )
}

export function ChoiceField({field, pointer, label, required, value, onChange}: FieldProps): ReactNode {
  const {options, schema} = field
  const preset = options.indexOf(schema.default)
  const index = options.findIndex(option => JSON.stringify(option) === JSON.stringify(value))
  const empty =
    preset >= 0 && !required ? `Default (${named(options[preset])})` : required && !field.nullable ? 'Choose…' : '–'
  return (
    <Labelled pointer={pointer} label={label} required={required} hint={field.description}>
      {control => (
        <select
          {...control}
          value={index}
          onChange={event => {
            const chosen = Number(event.target.value)
            onChange(chosen < 0 ? emptied(field, required) : options[chosen])
          }}
        >
          {(index < 0 || !required || field.nullable) && <option value={-1}>{empty}</option>}
          {options.map((option, place) => (
            <option key={JSON.stringify(option)} value={place}>
              {named(option)}
            </option>
          ))}
        </select>
      )}
    </Labelled>
  )
}

function named(option: unknown): string {
  if (typeof option === 'boolean') return option ? 'Yes' : 'No'
  return typeof option === 'string' ? option : JSON.stringify(option)
}

/** For what has no form of its own: free objects, tuples, anything. */
export function JsonField({field, pointer, label, required, value, onChange}: FieldProps): ReactNode {
  const [draft, setDraft] = useState<Draft>()
  const kept = draft && (draft.value === value || JSON.stringify(draft.value) === JSON.stringify(value))
  const text = kept ? draft.text : value === undefined ? '' : JSON.stringify(value, null, 2)
  const wrong = text.trim() === '' ? undefined : mistakeIn(text)
  useRefusal(pointer, wrong)

  function change(next: string): void {
    const made =
      next.trim() === '' ? emptied(field, required) : mistakeIn(next) === undefined ? JSON.parse(next) : value
    setDraft({text: next, value: made})
    if (made !== value) onChange(made)
  }

  return (
    <Labelled
      pointer={pointer}
      label={label}
      required={required}
      hint={[hintOf(field), 'As JSON.'].filter(Boolean).join(' ')}
    >
      {control => (
        <textarea
          {...control}
          className="sf-json"
          rows={3}
          spellCheck={false}
          autoCapitalize="off"
          placeholder={PLACEHOLDERS[String(field.schema.type)]}
          value={text}
          onChange={event => change(event.target.value)}
        />
      )}
    </Labelled>
  )
}

const PLACEHOLDERS: Record<string, string> = {object: '{}', array: '[]'}

function mistakeIn(text: string): string | undefined {
  try {
    JSON.parse(text)
    return undefined
  } catch {
    return 'This is not JSON yet.'
  }
}
