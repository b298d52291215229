import type {JsonSchema} from '@unspool/client'
import {fieldOf, isSchema, propertiesOf, requiredOf, resolved, variantOf} from './schema.js'

const MAX_DEPTH = 12

/**
 * The value with what it must have and can have in one way only: required members get their default, a constant, or
 * an empty object or list. What may be left out is left out.
 */
export function completed(schema: JsonSchema, value: unknown, root: JsonSchema, depth = 0): unknown {
  if (depth > MAX_DEPTH) return value
  const whole = resolved(schema, root)
  if (value === undefined) {
    if ('const' in whole) return whole.const
    if ('default' in whole) return structuredClone(whole.default)
  }
  const field = fieldOf(schema, root)
  if (field.nullable && (value === null || value === undefined)) return value === undefined ? null : value
  if (field.kind === 'union') {
    const variant = field.variants[variantOf(value, field.variants, root)]
    return variant && value !== undefined ? completed(variant, value, root, depth + 1) : value
  }
  if (field.kind === 'list' && value === undefined) return []
  if (field.kind === 'boolean' && value === undefined) return false
  if (field.kind !== 'object' || (value !== undefined && !isSchema(value))) return value
  const filled: Record<string, unknown> = {...value}
  const required = requiredOf(field.schema)
  for (const [name, part] of Object.entries(propertiesOf(field.schema))) {
    if (!(name in filled) && !required.has(name)) continue
    const member = completed(part, filled[name], root, depth + 1)
    if (member !== undefined) filled[name] = member
  }
  return filled
}

/** A new value for a variant, a list's next item, or an object that was not there. */
export function fresh(schema: JsonSchema, root: JsonSchema): unknown {
  const value = completed(schema, undefined, root)
  if (value !== undefined && value !== null) return value
  const {kind} = fieldOf(schema, root)
  return kind === 'text' ? '' : kind === 'object' ? completed(schema, {}, root) : value === null ? null : undefined
}

/** The object with a member set; without it where `member` is undefined. */
export function withMember(value: unknown, name: string, member: unknown): Record<string, unknown> {
  const {[name]: _, ...rest} = isSchema(value) ? value : {}
  if (member === undefined) return rest
  // In the place that it had, so that JSON of it does not change its order.
  return isSchema(value) && name in value ? {...value, [name]: member} : {...rest, [name]: member}
}
