/** What requests may hold, and how it is read. */

import type {IncomingMessage} from 'node:http'
import {InvalidInput, malformed, tooLarge} from './errors.js'

const ID = /^[A-Za-z0-9._~-]{1,128}$/
const ID_IN_WORDS = '1 to 128 characters out of `A-Z a-z 0-9 . _ ~ -`'
const MAX_BATCH = 100
/** Arrays and objects in one another. */
const MAX_DEPTH = 200
const NOT_JSON = 'the request body is not valid JSON in UTF-8'

export interface StartBody {
  input: unknown
  thread_id?: string
  config?: Record<string, unknown>
  run_id?: string
  replaces?: string
}

export interface ResumeBody {
  answer?: unknown
  answers?: Record<string, unknown>
  config?: Record<string, unknown>
  run_id?: string
}

export interface BatchBody {
  inputs: unknown[]
  config?: Record<string, unknown>
}

export interface FeedbackBody {
  run_id: string
  key?: string
  score?: number | boolean | null
  value?: unknown
  comment?: string | null
}

/**
 * The JSON body, whether the app has a body parser or not.
 *
 * @throws {InvalidInput} 413: over `limit` bytes; it is not read further. 400: it is not JSON in UTF-8, or nested more
 *   than 200 levels deep.
 */
export async function readBody(req: IncomingMessage & {body?: unknown}, limit: number): Promise<unknown> {
  if (Number(req.headers['content-length']) > limit) throw tooLarge('the request body', limit)
  if (req.readableEnded) {
    if (req.body === undefined) throw malformed(NOT_JSON)
    return parsed(req.body, limit)
  }
  return fromJson(textIn(await gathered(req, limit)))
}

/** Not by `for await`: leaving that loop would cut the connection before the refusal is sent. */
function gathered(req: IncomingMessage, limit: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    let size = 0
    const take = (chunk: Buffer) => {
      size += chunk.length
      if (size <= limit) {
        chunks.push(chunk)
        return
      }
      req.off('data', take)
      req.pause()
      reject(tooLarge('the request body', limit))
    }
    const left = () => reject(malformed('the client left in the middle of its request'))
    req.on('data', take)
    req.on('end', () => resolve(Buffer.concat(chunks)))
    req.on('error', left)
    req.on('close', left)
    if (req.destroyed) left()
  })
}

/** What the app's own parser made of the body: JSON that was parsed already, or the text or bytes of it. */
function parsed(body: unknown, limit: number): unknown {
  if (typeof body !== 'string' && !Buffer.isBuffer(body)) return shallow(body)
  const bytes = Buffer.from(body as string)
  if (bytes.length > limit) throw tooLarge('the request body', limit)
  return fromJson(textIn(bytes))
}

function textIn(bytes: Buffer): string {
  try {
    return new TextDecoder('utf-8', {fatal: true, ignoreBOM: true}).decode(bytes)
  } catch {
    throw malformed(NOT_JSON)
  }
}

/** What a client sent as JSON. @throws {InvalidInput} 400: it is none, or nested more than 200 levels deep. */
export function fromJson(text: string): unknown {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw malformed(NOT_JSON)
  }
  return shallow(value)
}

function shallow(value: unknown): unknown {
  if (isDeeper(value, MAX_DEPTH)) throw malformed(`the request is nested more than ${MAX_DEPTH} levels deep`)
  return value
}

function isDeeper(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return false
  return levels === 0 || Object.values(value).some(item => isDeeper(item, levels - 1))
}

type Fields = Record<string, unknown>
type Checks = Record<string, (value: unknown, at: string) => void>

const CONFIG = object('$.config')

export function startBody(body: unknown): StartBody {
  const checks = {input: anything, thread_id: id, config: CONFIG, run_id: id, replaces: id}
  return checked(body, checks, ['input']) as unknown as StartBody
}

export function resumeBody(body: unknown): ResumeBody {
  return checked(body, {answer: anything, answers: object('$.answers'), config: CONFIG, run_id: id}) as ResumeBody
}

export function batchBody(body: unknown): BatchBody {
  const fields = checked(body, {inputs: anything, config: CONFIG}, ['inputs'])
  const {inputs} = fields
  if (!Array.isArray(inputs) || inputs.length < 1 || inputs.length > MAX_BATCH) {
    throw invalid(`Expected \`array\` of length >= 1 and <= ${MAX_BATCH} - at \`$.inputs\``)
  }
  return fields as unknown as BatchBody
}

export function feedbackBody(body: unknown): FeedbackBody {
  const checks = {run_id: id, key: id, score, value: anything, comment}
  return checked(body, checks, ['run_id']) as unknown as FeedbackBody
}

/** An id in a query. */
export function queryId(query: URLSearchParams, name: string): string | undefined {
  const value = query.get(name)
  if (value !== null && !ID.test(value)) throw new InvalidInput(`${name} must be ${ID_IN_WORDS}`)
  return value ?? undefined
}

/** A number in a query. */
export function queryNumber(query: URLSearchParams, name: string, low: number, high: number): number | undefined {
  const value = query.get(name)
  if (value === null) return undefined
  if (!/^[0-9]{1,15}$/.test(value) || Number(value) < low || Number(value) > high) {
    throw new InvalidInput(`${name} must be a whole number from ${low} to ${high}`)
  }
  return Number(value)
}

/** The body as an object of known members. Null stands for "not given", but where any JSON may be. */
function checked(body: unknown, checks: Checks, required: readonly string[] = []): Fields {
  if (!isObject(body)) throw invalid(`Expected \`object\`, got \`${nameOf(body)}\``)
  const fields: Fields = {}
  for (const [name, value] of Object.entries(body)) {
    if (!Object.hasOwn(checks, name)) throw invalid(`Object contains unknown field \`${name.slice(0, 100)}\``)
    const check = checks[name]
    if (value === null && check !== anything && !required.includes(name)) continue
    check?.(value, `$.${name}`)
    fields[name] = value
  }
  const missing = required.find(name => !Object.hasOwn(fields, name))
  if (missing !== undefined) throw invalid(`Object missing required field \`${missing}\``)
  return fields
}

function anything(): void {}

function id(value: unknown, at: string): void {
  if (typeof value !== 'string') throw invalid(`Expected \`str\`, got \`${nameOf(value)}\` - at \`${at}\``)
  if (!ID.test(value)) throw invalid(`Expected ${ID_IN_WORDS} - at \`${at}\``)
}

function object(at: string): (value: unknown) => void {
  return value => {
    if (!isObject(value)) throw invalid(`Expected \`object\`, got \`${nameOf(value)}\` - at \`${at}\``)
  }
}

function score(value: unknown, at: string): void {
  if (typeof value === 'number' || typeof value === 'boolean') return
  throw invalid(`Expected \`bool | int | float | null\`, got \`${nameOf(value)}\` - at \`${at}\``)
}

const MAX_COMMENT = 4000

function comment(value: unknown, at: string): void {
  if (typeof value !== 'string') throw invalid(`Expected \`str | null\`, got \`${nameOf(value)}\` - at \`${at}\``)
  if (Array.from(value).length > MAX_COMMENT)
    throw invalid(`Expected \`str\` of length <= ${MAX_COMMENT} - at \`${at}\``)
}

function invalid(what: string): InvalidInput {
  return new InvalidInput(`the request is not valid: ${what}`)
}

function isObject(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function nameOf(value: unknown): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'array'
  if (typeof value === 'number') return Number.isInteger(value) ? 'int' : 'float'
  return {string: 'str', boolean: 'bool'}[typeof value as string] ?? typeof value
}
