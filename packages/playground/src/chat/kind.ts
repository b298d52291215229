import type {JsonSchema} from '@unspool/client'

/** Whether plain text is an input for this agent: no schema, text, or an object with `messages`. Else it wants a form. */
export function isChat(schema: JsonSchema | undefined, root: JsonSchema | undefined = schema, depth = 0): boolean {
  if (schema === undefined || root === undefined || depth > 8) return true
  const {$ref, type, properties, anyOf, oneOf} = schema
  if (typeof $ref === 'string') return isChat(pointed(root, $ref), root, depth + 1)
  const either = Array.isArray(anyOf) ? anyOf : Array.isArray(oneOf) ? oneOf : undefined
  if (either) return either.some(one => isChat(one as JsonSchema, root, depth + 1))
  if (isObject(properties) && Object.keys(properties).length > 0) return 'messages' in properties
  return type === undefined || type === 'string' || (Array.isArray(type) && type.includes('string'))
}

/** Texts that the schema gives as examples of an input. */
export function examplesOf(schema: JsonSchema | undefined): string[] {
  const {examples} = schema ?? {}
  return Array.isArray(examples) ? examples.filter(one => typeof one === 'string').slice(0, 4) : []
}

/** Whether there is anything to fill in. */
export function hasFields(schema: JsonSchema | undefined): schema is JsonSchema {
  if (!schema) return false
  const {properties, $ref, anyOf} = schema
  return (isObject(properties) && Object.keys(properties).length > 0) || $ref !== undefined || anyOf !== undefined
}

function pointed(root: JsonSchema, ref: string): JsonSchema | undefined {
  let at: unknown = root
  for (const step of ref.replace(/^#\/?/, '').split('/')) {
    if (step) at = isObject(at) ? at[step.replaceAll('~1', '/').replaceAll('~0', '~')] : undefined
  }
  return isObject(at) ? at : undefined
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
