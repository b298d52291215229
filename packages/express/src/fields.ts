/** The fields of each event type, in the order of the wire: `spec/PROTOCOL.md`, section 3. */

type Check = (value: unknown) => boolean

export interface Field {
  readonly name: string
  /** What a value must be, for people. */
  readonly expected: string
  readonly check: Check
  readonly required: boolean
  /** Left out when it is this. */
  readonly fallback: unknown
}

const string: Check = value => typeof value === 'string'
const filled: Check = value => typeof value === 'string' && value !== ''
const number: Check = value => typeof value === 'number' && Number.isFinite(value)
const whole: Check = value => Number.isSafeInteger(value)
const boolean: Check = value => typeof value === 'boolean'
const anything: Check = () => true
const object: Check = value => typeof value === 'object' && value !== null && !Array.isArray(value)
const OPERATIONS: ReadonlySet<unknown> = new Set(['add', 'remove', 'replace', 'move', 'copy', 'test'])
const patch: Check = value =>
  Array.isArray(value) &&
  value.every(
    item =>
      object(item) && OPERATIONS.has(item.op) && string(item.path) && (item.from === undefined || string(item.from))
  )

const EXPECTED = new Map<Check, string>([
  [string, 'text'],
  [filled, 'text that is not empty'],
  [number, 'a number'],
  [whole, 'a whole number'],
  [boolean, 'true or false'],
  [object, 'an object'],
  [patch, 'a list of operations (RFC 6902)']
])

function must(name: string, check: Check): Field {
  return {name, check, expected: EXPECTED.get(check) ?? 'JSON', required: true, fallback: undefined}
}

function may(name: string, check: Check, fallback: unknown = null): Field {
  return {name, check, expected: EXPECTED.get(check) ?? 'JSON', required: false, fallback}
}

const message = must('message_id', string)
const call = must('call_id', string)
const step = [must('step_id', string), must('name', string), may('parent_id', string)]

export const FIELDS: Readonly<Record<string, readonly Field[]>> = {
  start: [
    must('run_id', string),
    must('source', string),
    must('created_at', number),
    may('attempt', whole, 1),
    may('thread_id', string),
    may('input', anything),
    may('resumes', string),
    may('replaces', string)
  ],
  message_start: [message, may('role', string, 'assistant'), may('name', string)],
  token: [message, must('text', filled)],
  reasoning: [message, must('text', filled)],
  message_end: [message, may('finish_reason', string)],
  tool_start: [call, must('name', string), may('message_id', string)],
  tool_args: [call, must('text', string)],
  tool_call: [call, must('name', string), may('args', anything)],
  tool_end: [call, may('result', anything), may('error', string)],
  step_start: step,
  step_end: step,
  state: [may('snapshot', anything), may('patch', patch)],
  data: [must('name', string), may('value', anything), may('id', string), may('transient', boolean, false)],
  citation: [
    message,
    may('url', string),
    may('title', string),
    may('text', string),
    may('start', whole),
    may('end', whole)
  ],
  file: [
    must('media_type', string),
    may('message_id', string),
    may('url', string),
    may('data', string),
    may('name', string)
  ],
  usage: [
    may('input_tokens', whole, 0),
    may('output_tokens', whole, 0),
    may('total_tokens', whole, 0),
    may('reasoning_tokens', whole, 0),
    may('cached_tokens', whole, 0),
    may('model', string)
  ],
  interrupt: [must('interrupt_id', string), may('value', anything)],
  retry: [must('attempt', whole), must('reason', string), must('keep_seq', whole)],
  error: [
    must('code', string),
    must('message', string),
    may('retryable', boolean, false),
    may('retry_after', number),
    may('error_id', string),
    may('detail', anything)
  ],
  end: [must('status', string), may('output', anything), may('metrics', object)]
}
