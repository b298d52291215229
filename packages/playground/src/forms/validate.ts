import {Validator} from '@cfworker/json-schema'
import type {JsonSchema} from '@unspool/client'
import {fieldOf, humanized, isSchema, propertiesOf, requiredOf, variantOf} from './schema.js'

/** What is wrong, and with which member: a JSON pointer. */
export interface Problem {
  pointer: string
  /** How the form calls it. */
  name: string
  message: string
}

/** Checks a value as the form shows it: the problem of a member is told at that member, that of a union at its variant. */
export function problemsOf(schema: JsonSchema, value: unknown, root: JsonSchema, pointer = '', name = ''): Problem[] {
  const field = fieldOf(schema, root)
  if (field.nullable && value === null) return []
  if (field.kind === 'union') {
    const variant = field.variants[variantOf(value, field.variants, root)]
    return variant ? problemsOf(variant, value, root, pointer, name) : []
  }
  const problems: Problem[] = []
  if (field.kind === 'object' && isSchema(value)) {
    const required = requiredOf(field.schema)
    for (const [member, part] of Object.entries(propertiesOf(field.schema))) {
      const at = pointerOf(pointer, member)
      const title = fieldOf(part, root).title ?? humanized(member)
      if (member in value) problems.push(...problemsOf(part, value[member], root, at, title))
      else if (required.has(member)) problems.push({pointer: at, name: title, message: 'This is required.'})
    }
  }
  if (field.kind === 'list' && Array.isArray(value) && isSchema(field.schema.items)) {
    for (const [index, item] of value.entries()) {
      const at = pointerOf(pointer, String(index))
      problems.push(...problemsOf(field.schema.items, item, root, at, `${name} ${index + 1}`.trim()))
    }
  }
  const own = ownMessage(
    field.kind === 'object' || field.kind === 'list' ? outerOf(field.schema) : schemaOf(field),
    value,
    root
  )
  return own === undefined ? problems : [...problems, {pointer, name, message: own}]
}

export function pointerOf(parent: string, member: string): string {
  return `${parent}/${member.replaceAll('~', '~0').replaceAll('/', '~1')}`
}

/** The schema without what is checked member by member. */
function outerOf(schema: JsonSchema): JsonSchema {
  const {properties, required, items, ...outer} = schema
  const known = Object.fromEntries(Object.keys(isSchema(properties) ? properties : {}).map(name => [name, true]))
  return Object.keys(known).length > 0 ? {...outer, properties: known} : outer
}

function schemaOf({kind, schema, options}: ReturnType<typeof fieldOf>): JsonSchema {
  return kind === 'choice' ? {enum: options} : schema
}

const validators = new WeakMap<JsonSchema, Map<string, Validator>>()

/** What the validator says first about a value that has no form of its own below it. It interprets: no code is made. */
function ownMessage(schema: JsonSchema, value: unknown, root: JsonSchema): string | undefined {
  const known = validators.get(root) ?? new Map<string, Validator>()
  validators.set(root, known)
  const key = JSON.stringify(schema)
  let validator = known.get(key)
  if (!validator) {
    const {$defs, definitions} = root
    validator = new Validator(
      {...schema, ...($defs ? {$defs} : {}), ...(definitions ? {definitions} : {})} as object,
      '2020-12',
      false
    )
    known.set(key, validator)
  }
  if (value === undefined) return 'This is required.'
  try {
    const {errors} = validator.validate(value)
    const worst = errors.findLast(error => !WRAPPERS.has(error.keyword)) ?? errors[0]
    return worst && inWords(worst, schema)
  } catch {
    // A pattern that this browser does not know, a reference that leads nowhere: the server will tell.
    return undefined
  }
}

/** They say only that something inside them is wrong. */
const WRAPPERS = new Set([
  'properties',
  'items',
  'prefixItems',
  'additionalProperties',
  'allOf',
  'anyOf',
  'oneOf',
  '$ref'
])

interface ValidatorError {
  keyword: string
  instanceLocation: string
  error: string
}

const WORDS: Record<string, (limit: unknown) => string> = {
  type: wanted => `This must be ${TYPES[String(wanted)] ?? `of type ${wanted}`}.`,
  minLength: limit => (limit === 1 ? 'This must not be empty.' : `This must have at least ${limit} characters.`),
  maxLength: limit => `This must have at most ${limit} characters.`,
  minimum: limit => `This must be at least ${limit}.`,
  maximum: limit => `This must be at most ${limit}.`,
  exclusiveMinimum: limit => `This must be more than ${limit}.`,
  exclusiveMaximum: limit => `This must be less than ${limit}.`,
  multipleOf: step => `This must be a multiple of ${step}.`,
  pattern: pattern => `This must match the pattern ${pattern}.`,
  format: format => `This must be written as ${format}.`,
  minItems: limit => `There must be at least ${limit}.`,
  maxItems: limit => `There must be at most ${limit}.`,
  uniqueItems: () => 'No two may be the same.',
  enum: () => 'This must be one of the choices.'
}

const TYPES: Record<string, string> = {
  string: 'text',
  number: 'a number',
  integer: 'a whole number',
  boolean: 'yes or no',
  object: 'an object',
  array: 'a list'
}

function inWords({keyword, instanceLocation, error}: ValidatorError, schema: JsonSchema): string {
  const inside = instanceLocation.replace(/^#\/?/, '')
  if (inside) return `${inside}: ${error}`
  return WORDS[keyword]?.(schema[keyword]) ?? error
}
