/** What a JSON Schema (draft 2020-12, as Pydantic and LangGraph write it) asks for, as one field of a form. */

import type {JsonSchema} from '@unspool/client'

export type Kind = 'text' | 'number' | 'integer' | 'boolean' | 'choice' | 'object' | 'list' | 'union' | 'json'

/** One field. `schema` has no reference at its top, and is not about null. */
export interface Field {
  readonly kind: Kind
  readonly schema: JsonSchema
  readonly nullable: boolean
  readonly title: string | undefined
  readonly description: string | undefined
  /** Of a union. */
  readonly variants: readonly JsonSchema[]
  /** Of a choice. */
  readonly options: readonly unknown[]
}

const MAX_HOPS = 16
/** More of them are no choice that a person makes: such a value is written as JSON. */
const MAX_VARIANTS = 6
const SCALARS: Record<string, Kind> = {string: 'text', number: 'number', integer: 'integer', boolean: 'boolean'}

/** The field for a schema. References are looked up in `root`. */
export function fieldOf(schema: JsonSchema, root: JsonSchema): Field {
  const whole = resolved(schema, root)
  const {title, description} = texts(whole)
  const {nullable, variants} = alternatives(whole, root)
  const only = variants.length === 1 ? variants[0] : undefined
  const base = only === undefined ? whole : {...resolved(only, root), ...(title !== undefined && {title})}
  const options = optionsOf(base, variants, root)
  return {
    kind: options.length > 0 ? 'choice' : variants.length > 1 ? unionKind(variants) : kindOf(base),
    schema: base,
    nullable: nullable || (options.length > 0 && optionsWithNull(base)),
    title: title ?? texts(base).title,
    description: description ?? texts(base).description,
    variants: variants.length > 1 ? variants : [],
    options
  }
}

/** Follows `$ref` and a lone `allOf`; what stands next to them goes before what they say. */
export function resolved(schema: JsonSchema, root: JsonSchema): JsonSchema {
  let at = schema
  for (let hops = 0; hops < MAX_HOPS; hops++) {
    const {$ref, allOf, ...rest} = at
    if (typeof $ref === 'string') at = {...lookup($ref, root), ...rest}
    else if (Array.isArray(allOf) && allOf.every(isSchema))
      at = merged([...allOf.map(part => resolved(part, root)), rest])
    else return at
  }
  return {}
}

export function propertiesOf(schema: JsonSchema): Record<string, JsonSchema> {
  const {properties} = schema
  if (!isSchema(properties)) return {}
  return Object.fromEntries(Object.entries(properties).map(([name, part]) => [name, isSchema(part) ? part : {}]))
}

export function requiredOf(schema: JsonSchema): ReadonlySet<string> {
  return new Set(Array.isArray(schema.required) ? schema.required.filter(name => typeof name === 'string') : [])
}

/** Which of the variants a value is of: by a `const` member (a discriminator), else by its type; 0 if by none. */
export function variantOf(value: unknown, variants: readonly JsonSchema[], root: JsonSchema): number {
  const known = variants.map(variant => resolved(variant, root))
  const named = known.findIndex(variant => isSchema(value) && hasConsts(variant, value))
  if (named >= 0) return named
  return Math.max(
    0,
    known.findIndex(variant => ofType(value, variant))
  )
}

/** `max_tokens`, `maxTokens`: `Max tokens`. */
export function humanized(name: string): string {
  const words = name
    .replace(/([a-z\d])([A-Z])/g, '$1 $2')
    .replace(/[_-]+/g, ' ')
    .trim()
    .toLowerCase()
  return words.charAt(0).toUpperCase() + words.slice(1)
}

export function isSchema(value: unknown): value is JsonSchema {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function texts(schema: JsonSchema): {title: string | undefined; description: string | undefined} {
  const {title, description} = schema
  return {
    title: typeof title === 'string' ? title : undefined,
    description: typeof description === 'string' ? description : undefined
  }
}

/** What it may be besides null. A schema without alternatives is its own one. */
function alternatives(schema: JsonSchema, root: JsonSchema): {nullable: boolean; variants: JsonSchema[]} {
  const {anyOf, oneOf, type, ...rest} = schema
  const listed = Array.isArray(anyOf) ? anyOf : Array.isArray(oneOf) ? oneOf : undefined
  if (listed?.every(isSchema)) {
    const variants = listed.filter(variant => resolved(variant, root).type !== 'null')
    return {nullable: variants.length < listed.length, variants}
  }
  if (!Array.isArray(type)) return {nullable: false, variants: [schema]}
  const types = type.filter(name => name !== 'null')
  return {nullable: types.length < type.length, variants: types.map(name => ({...rest, type: name}))}
}

function kindOf(schema: JsonSchema): Kind {
  const {type, items, prefixItems} = schema
  if (typeof type === 'string' && type in SCALARS) return SCALARS[type] ?? 'json'
  if (type === 'array')
    return isSchema(items) && prefixItems === undefined && Object.keys(items).length > 0 ? 'list' : 'json'
  return Object.keys(propertiesOf(schema)).length > 0 ? 'object' : 'json'
}

function unionKind(variants: readonly JsonSchema[]): Kind {
  return variants.length <= MAX_VARIANTS ? 'union' : 'json'
}

/** The values of an `enum`, or of variants that are each a `const`. */
function optionsOf(schema: JsonSchema, variants: readonly JsonSchema[], root: JsonSchema): unknown[] {
  if (Array.isArray(schema.enum)) return schema.enum.filter(option => option !== null)
  const consts = variants.map(variant => resolved(variant, root))
  return variants.length > 1 && consts.every(variant => 'const' in variant) ? consts.map(variant => variant.const) : []
}

function optionsWithNull(schema: JsonSchema): boolean {
  return Array.isArray(schema.enum) && schema.enum.includes(null)
}

function hasConsts(variant: JsonSchema, value: JsonSchema): boolean {
  const consts = Object.entries(propertiesOf(variant)).filter(([, part]) => 'const' in part)
  return consts.length > 0 && consts.every(([name, part]) => value[name] === part.const)
}

function ofType(value: unknown, {type}: JsonSchema): boolean {
  if (type === 'integer') return Number.isInteger(value)
  if (type === 'array') return Array.isArray(value)
  if (type === 'object') return isSchema(value)
  return type === typeof value
}

/** `#/$defs/Name`. Other documents are not asked for. */
function lookup(ref: string, root: JsonSchema): JsonSchema {
  let at: unknown = ref.startsWith('#') ? root : undefined
  for (const part of ref.split('/').slice(1)) {
    const name = decodeURIComponent(part).replaceAll('~1', '/').replaceAll('~0', '~')
    at = isSchema(at) && Object.hasOwn(at, name) ? at[name] : undefined
  }
  return isSchema(at) ? at : {}
}

function merged(parts: readonly JsonSchema[]): JsonSchema {
  const whole: JsonSchema = Object.assign({}, ...parts)
  const properties = Object.assign({}, ...parts.map(propertiesOf))
  const required = parts.flatMap(part => [...requiredOf(part)])
  return {
    ...whole,
    ...(Object.keys(properties).length > 0 && {properties}),
    ...(required.length > 0 && {required: [...new Set(required)]})
  }
}
