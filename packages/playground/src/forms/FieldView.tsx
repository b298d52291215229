import type {JsonSchema} from '@unspool/client'
import type {ReactNode} from 'react'
import {useForm} from './form-context.js'
import {ListField, ObjectField, UnionField} from './groups.js'
import {BooleanField, ChoiceField, JsonField, NumberField, TextField} from './scalars.js'
import {type Field, fieldOf, type Kind} from './schema.js'

export interface FieldProps {
  field: Field
  pointer: string
  label: string
  /** It must not be left out. */
  required: boolean
  value: unknown
  /** Undefined: it is left out. */
  onChange(value: unknown): void
}

const FIELDS: Record<Kind, (props: FieldProps) => ReactNode> = {
  text: TextField,
  number: NumberField,
  integer: NumberField,
  boolean: BooleanField,
  choice: ChoiceField,
  object: ObjectField,
  list: ListField,
  union: UnionField,
  json: JsonField
}

interface FieldViewProps extends Omit<FieldProps, 'field'> {
  schema: JsonSchema
  /** The label is used although the schema has a title. */
  fixedLabel?: boolean
}

/** The field that a schema asks for. Below a depth that no form has, JSON. */
export function FieldView({schema, label, fixedLabel = false, ...props}: FieldViewProps): ReactNode {
  const {root} = useForm()
  const found = fieldOf(schema, root)
  const deep = props.pointer.split('/').length > 8
  const field: Field = deep && ['object', 'list', 'union'].includes(found.kind) ? {...found, kind: 'json'} : found
  const View = FIELDS[field.kind]
  return <View {...props} field={field} label={fixedLabel ? label : (field.title ?? label)} />
}
