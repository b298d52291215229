import type {JsonSchema} from '@unspool/client'
import {type ReactNode, useState} from 'react'
import {type FieldProps, FieldView} from './FieldView.js'
import {useForm} from './form-context.js'
import {Labelled} from './Labelled.js'
import {fieldOf, humanized, isSchema, propertiesOf, requiredOf, resolved, variantOf} from './schema.js'
import {pointerOf} from './validate.js'
import {fresh, withMember} from './value.js'

/** The members of an object, without those that can have one value only. */
export function Members({
  schema,
  pointer,
  value,
  onChange
}: Pick<FieldProps, 'pointer' | 'value' | 'onChange'> & {schema: JsonSchema}): ReactNode {
  const {root} = useForm()
  const required = requiredOf(schema)
  const members = isSchema(value) ? value : {}
  return Object.entries(propertiesOf(schema)).map(([name, part]) => {
    const whole = resolved(part, root)
    if ('const' in whole) return null
    return (
      <FieldView
        key={name}
        schema={part}
        pointer={pointerOf(pointer, name)}
        label={humanized(name)}
        required={required.has(name)}
        value={members[name]}
        onChange={next => onChange(withMember(value, name, next))}
      />
    )
  })
}

interface GroupProps {
  pointer: string
  label: string
  hint?: string | undefined
  required: boolean
  children: ReactNode
}

/** Fields that belong together, with what is wrong with them as a whole. */
function Group({pointer, label, hint, required, children}: GroupProps): ReactNode {
  const {id, messages, disabled} = useForm()
  const message = messages.get(pointer)
  const described = [hint && id(pointer, 'hint'), message && id(pointer, 'error')].filter(Boolean).join(' ')
  return (
    <fieldset className="sf-group" disabled={disabled} {...(described && {'aria-describedby': described})}>
      <legend>
        {label}
        {required && (
          <span className="sf-required" aria-hidden="true">
            *
          </span>
        )}
      </legend>
      {hint && (
        <p className="sf-hint" id={id(pointer, 'hint')}>
          {hint}
        </p>
      )}
      {children}
      {message && (
        <p className="sf-error" id={id(pointer, 'error')}>
          {message}
        </p>
      )}
    </fieldset>
  )
}

/** An object that may be left out has a button that adds it, and one that takes it away. */
export function ObjectField({field, pointer, label, required, value, onChange}: FieldProps): ReactNode {
  const {root, disabled} = useForm()
  const optional = !required || field.nullable
  const there = isSchema(value)
  return (
    <Group pointer={pointer} label={label} hint={field.description} required={required}>
      {there && <Members schema={field.schema} pointer={pointer} value={value} onChange={onChange} />}
      {!there && (
        <button
          type="button"
          className="sf-button"
          disabled={disabled}
          onClick={() => onChange(fresh(field.schema, root) ?? {})}
        >
          Add {label.toLowerCase()}
        </button>
      )}
      {there && optional && (
        <button
          type="button"
          className="sf-button"
          disabled={disabled}
          onClick={() => onChange(field.nullable ? null : undefined)}
        >
          Remove {label.toLowerCase()}
        </button>
      )}
    </Group>
  )
}

export function ListField({field, pointer, label, required, value, onChange}: FieldProps): ReactNode {
  const {root, disabled} = useForm()
  const items = Array.isArray(value) ? value : []
  const schema = isSchema(field.schema.items) ? field.schema.items : {}
  const {maxItems} = field.schema
  // A name for each item, so that what is written in one stays with it when another goes.
  const [keys, setKeys] = useState<number[]>(() => items.map((_, index) => index))
  const named = items.map((_, index) => keys[index] ?? 1_000_000 + index)

  function put(next: unknown[], names: number[]): void {
    setKeys(names)
    onChange(next.length === 0 && !required ? undefined : next)
  }

  return (
    <Group pointer={pointer} label={label} hint={field.description} required={required}>
      {items.map((item, index) => (
        <div className="sf-item" key={named[index]}>
          <FieldView
            schema={schema}
            pointer={pointerOf(pointer, String(index))}
            label={`${fieldOf(schema, root).title ?? label} ${index + 1}`}
            fixedLabel
            required
            value={item}
            onChange={next =>
              put(
                items.map((old, at) => (at === index ? (next ?? fresh(schema, root) ?? null) : old)),
                named
              )
            }
          />
          <button
            type="button"
            className="sf-button"
            disabled={disabled}
            aria-label={`Remove ${label.toLowerCase()} ${index + 1}`}
            onClick={() => put(items.toSpliced(index, 1), named.toSpliced(index, 1))}
          >
            Remove
          </button>
        </div>
      ))}
      <button
        type="button"
        className="sf-button"
        disabled={disabled || (typeof maxItems === 'number' && items.length >= maxItems)}
        onClick={() => put([...items, fresh(schema, root) ?? null], [...named, Math.max(-1, ...named) + 1])}
      >
        Add to {label.toLowerCase()}
      </button>
    </Group>
  )
}

/** A value of one of several kinds: first which, then the value. */
export function UnionField({field, pointer, label, required, value, onChange}: FieldProps): ReactNode {
  const {root} = useForm()
  const {variants, nullable} = field
  const [chosen, setChosen] = useState<number>()
  const absent = value === undefined || value === null
  const index = absent && chosen === undefined ? -1 : (chosen ?? variantOf(value, variants, root))
  const variant = variants[index]

  function choose(next: number): void {
    const picked = variants[next]
    setChosen(picked ? next : undefined)
    onChange(picked ? fresh(picked, root) : nullable && required ? null : undefined)
  }

  return (
    <Group pointer={pointer} label={label} hint={field.description} required={required}>
      <Labelled pointer={`${pointer}#kind`} label={`Kind of ${label.toLowerCase()}`} required={false}>
        {control => (
          <select {...control} value={index} onChange={event => choose(Number(event.target.value))}>
            {(index < 0 || !required || nullable) && <option value={-1}>–</option>}
            {variants.map((one, place) => (
              // biome-ignore lint/suspicious/noArrayIndexKey: the variants of a schema stay where they are
              <option key={place} value={place}>
                {variantName(one, root, place)}
              </option>
            ))}
          </select>
        )}
      </Labelled>
      {variant && <Variant {...{pointer, label, value, onChange, variant}} />}
    </Group>
  )
}

type VariantProps = Pick<FieldProps, 'pointer' | 'label' | 'value' | 'onChange'> & {variant: JsonSchema}

function Variant({pointer, label, value, onChange, variant}: VariantProps): ReactNode {
  const {root} = useForm()
  const inner = fieldOf(variant, root)
  if (inner.kind === 'object')
    return <Members schema={inner.schema} pointer={pointer} value={value} onChange={onChange} />
  return (
    <FieldView schema={variant} pointer={pointer} label={label} fixedLabel required value={value} onChange={onChange} />
  )
}

const TYPE_NAMES: Record<string, string> = {
  text: 'Text',
  number: 'Number',
  integer: 'Whole number',
  boolean: 'Yes or no'
}

function variantName(variant: JsonSchema, root: JsonSchema, place: number): string {
  const {title, kind} = fieldOf(variant, root)
  return title ?? TYPE_NAMES[kind] ?? (kind === 'list' ? 'List' : `Choice ${place + 1}`)
}
