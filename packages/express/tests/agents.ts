/** The agents of `tests/support/browser_agents.py`, by the same names and with the same answers. */

import {type AgentOptions, type Call, type Source, SourceError, type SourceItem} from '@unspool/express'

type Answers = AsyncGenerator<SourceItem>

/** Where runs wait for a test: by name, each with the number of passes that are left. */
export class Gates {
  readonly #passes = new Map<string, number>()
  readonly #waiting = new Map<string, (() => void)[]>()

  /** Lets so many waits at this gate go on, now or later. */
  release(name: string, passes = 1): void {
    this.#passes.set(name, (this.#passes.get(name) ?? 0) + passes)
    const waiting = this.#waiting.get(name) ?? []
    this.#waiting.delete(name)
    for (const wake of waiting) wake()
  }

  /** Takes one pass. Returns early, without one, when the signal is aborted. */
  async wait(name: string, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const passes = this.#passes.get(name) ?? 0
      if (passes >= 1) {
        this.#passes.set(name, passes - 1)
        return
      }
      await new Promise<void>(wake => {
        this.#waiting.set(name, [...(this.#waiting.get(name) ?? []), wake])
        signal.addEventListener('abort', () => wake(), {once: true})
      })
    }
  }
}

interface Block {
  type?: string
  text?: string
}

function contentOf(input: unknown): string | Block[] {
  if (typeof input === 'string') return input
  const messages = (input as {messages?: {content?: string | Block[]}[]} | null | undefined)?.messages ?? []
  return messages.at(-1)?.content ?? ''
}

/** The text that was asked last: of a text input, or of a chat's messages. */
function questionOf(input: unknown): string {
  const content = contentOf(input)
  if (typeof content === 'string') return content
  return content.flatMap(({type, text}) => (type === 'text' ? [text] : [])).join(' ')
}

function wordsOf(text: string): string[] {
  return text.split(/\s+/).filter(Boolean)
}

const turn = () => new Promise(setImmediate)

async function* echo({input, config}: Call): Answers {
  const content = contentOf(input)
  const files = typeof content === 'string' ? 0 : content.filter(({type}) => type !== 'text').length
  let text = `You said: ${questionOf(input)}`
  if (files) text += ` (with ${files} file${files > 1 ? 's' : ''})`
  if (config.shout) text = text.toUpperCase()
  for (const [index, word] of text.split(' ').entries()) {
    yield index === 0 ? word : ` ${word}`
    await turn()
  }
}

const SLOW_WORDS = ['zero', 'one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine', 'ten']

function slow(gates: Gates): Source {
  return async function* ({runId, input, config, signal}) {
    const gate = String(config.gate ?? wordsOf(questionOf(input)).at(-1) ?? 'slow')
    const message_id = `${runId.slice(-12)}-1`
    yield {type: 'message_start', message_id}
    for (const [index, word] of SLOW_WORDS.entries()) {
      if (index > 0) await gates.wait(gate, signal)
      yield {type: 'token', message_id, text: index === 0 ? word : ` ${word}`}
    }
    yield {type: 'message_end', message_id, finish_reason: 'stop'}
  }
}

const SKY =
  'iVBORw0KGgoAAAANSUhEUgAAADAAAAAgCAIAAADbtmxLAAAAo0lEQVR42s3CAQYCAQBE0TlYRERERERERERERESUJaVSllUSiUQikUgkEol0kH+JrjHPU6yHVcUDrCrRx6qSA6wqNcKq0hOsKjPDqrIhVpWLsKr8HKsqLLGq4gqrKq2xqvIGq6pssarqDquq7bGq+gGrahyxquYJq2qdsar2BavqXLGq7g2rCu5YVf+BVQ2fWNX4hVVN31hV+MGqoi9Wtfhh9Q9GU/SmXu48DAAAAABJRU5ErkJggg=='

function tools(gates: Gates): Source {
  return async function* ({runId, config, signal}): Answers {
    const part = () => ('gate' in config ? gates.wait(String(config.gate), signal) : turn())
    const message_id = `${runId.slice(-12)}-1`
    await part()
    yield {type: 'step_start', step_id: 'plan', name: 'plan'}
    yield {type: 'message_start', message_id, name: 'planner'}
    yield {type: 'reasoning', message_id, text: 'They ask about the weather. '}
    yield {type: 'reasoning', message_id, text: 'I will look it up.'}
    yield {type: 'step_end', step_id: 'plan', name: 'plan'}

    await part()
    yield {type: 'step_start', step_id: 'act', name: 'act'}
    yield {type: 'tool_start', call_id: 't1', name: 'weather', message_id}
    for (const text of ['{"city"', ': "Utrecht"', '}']) yield {type: 'tool_args', call_id: 't1', text}

    await part()
    yield {type: 'tool_call', call_id: 't1', name: 'weather', args: {city: 'Utrecht'}}
    yield {type: 'data', name: 'progress', id: 'p', value: {done: 1, of: 2}}
    yield {type: 'tool_end', call_id: 't1', result: {celsius: 18, sky: 'clear'}}
    yield {type: 'tool_start', call_id: 't2', name: 'forecast', message_id}
    yield {type: 'tool_call', call_id: 't2', name: 'forecast', args: {days: 400}}
    yield {type: 'tool_end', call_id: 't2', error: 'A forecast has at most 14 days.'}
    yield {type: 'data', name: 'progress', id: 'p', value: {done: 2, of: 2}}

    await part()
    for (const text of ['It is 18 °C ', 'in Utrecht, ', 'and the sky is clear.'])
      yield {type: 'token', message_id, text}
    const url = 'https://example.org/weather'
    yield {type: 'citation', message_id, url, title: 'Weather service', start: 0, end: 24}
    yield {type: 'file', media_type: 'image/png', message_id, data: SKY, name: 'sky.png'}

    await part()
    const usage = {input_tokens: 120, output_tokens: 40, total_tokens: 160, reasoning_tokens: 12}
    yield {type: 'usage', model: 'scripted', ...usage}
    yield {type: 'state', snapshot: {city: 'Utrecht', celsius: 18}}
    yield {type: 'step_end', step_id: 'act', name: 'act'}
    yield {type: 'message_end', message_id, finish_reason: 'stop'}
    return 'It is 18 °C in Utrecht, and the sky is clear.'
  }
}

async function* ask({input, resumes, answer = {}}: Call): Answers {
  if (resumes === undefined) {
    const question = questionOf(input)
    yield `May I ${question}?`
    const value = {question: `May I ${question}?`, options: ['yes', 'no']}
    yield {type: 'interrupt', interrupt_id: 'approve', value}
    if (wordsOf(question).includes('two')) yield {type: 'interrupt', interrupt_id: 'reason', value: 'Why?'}
    return
  }
  yield 'Answered: '
  yield Object.keys(answer)
    .sort()
    .map(id => `${id}=${answer[id]}`)
    .join(', ')
}

function fail(): Source {
  const failed = new Set<string | undefined>()
  return async function* ({input, threadId}) {
    const words = wordsOf(questionOf(input))
    if (words.includes('internal')) throw new Error('secret: the password is swordfish')
    if (words.includes('busy')) throw new SourceError('Too many requests.', {code: 'rate_limit', retryAfter: 1})
    if (words.includes('once') && failed.has(threadId)) {
      yield 'This time it worked.'
      return
    }
    failed.add(threadId)
    if (words.includes('late')) yield 'Half an answer'
    throw new SourceError('The model is resting.', {retryable: true})
  }
}

function chapter(number: number): string {
  return `## Chapter ${number}

The keeper of lighthouse **${number}** wrote *every evening* what the sea had done: the height of the waves, the colour
of the sky, and the ships that passed. Nothing of it was ever lost.

- waves of ${number} metres
- wind from the \`north-west\`
- [a ship](https://example.org/ships/${number}) with three masts

| hour | light | ships |
| --- | --- | --- |
| 20:00 | on | ${number} |
| 23:00 | on | 2 |

\`\`\`python
def light(hour: int) -> bool:
    return hour >= ${number} or hour < 6
\`\`\`

> The light is for those who do not know that they need it.

`
}

const LONG_CHARACTERS = 20_000

async function* long({config}: Call): Answers {
  const characters = Number(config.characters ?? LONG_CHARACTERS)
  const rate = Number(config.rate ?? 0)
  let text = ''
  for (let number = 1; text.length < characters; number += 1) text += chapter(number)
  text = text.slice(0, characters)
  const began = Date.now()
  for (let at = 0; at < text.length; at += 4) {
    yield text.slice(at, at + 4)
    const late = rate ? began + (at / 4 / rate) * 1000 - Date.now() : 0
    await (late > 0 ? new Promise(resolve => setTimeout(resolve, late)) : turn())
  }
}

interface Trip {
  city: string
  nights: number
  breakfast?: boolean
  room?: 'single' | 'double' | 'suite'
}

const PRICES = {single: 80, double: 120, suite: 300}

async function* form({input}: Call): Answers {
  const {city, nights, breakfast = false, room = 'single'} = input as Trip
  yield {type: 'step_start', step_id: 'price', name: 'price'}
  const nightly = PRICES[room] + (breakfast ? 15 : 0)
  yield {type: 'step_end', step_id: 'price', name: 'price'}
  return {city, price: nightly * nights, currency: 'EUR'}
}

const FORM: NonNullable<AgentOptions['schemas']> = {
  input: {
    type: 'object',
    title: 'Trip',
    description: 'A hotel, for some nights.',
    required: ['city', 'nights'],
    properties: {
      city: {type: 'string', title: 'City', minLength: 1},
      nights: {type: 'integer', title: 'Nights', minimum: 1, maximum: 30, default: 2},
      breakfast: {type: 'boolean', title: 'Breakfast', default: false},
      room: {type: 'string', title: 'Room', enum: ['single', 'double', 'suite'], default: 'single'}
    }
  },
  output: {
    type: 'object',
    properties: {city: {type: 'string'}, price: {type: 'number'}, currency: {type: 'string'}}
  }
}

const SHOUT = {type: 'boolean', title: 'Shout', description: 'Answer in capitals'}
const GATE = {type: 'string', title: 'Gate', description: 'Where it waits before each word'}

export interface TestAgent {
  source: Source
  schemas: NonNullable<AgentOptions['schemas']>
}

/** All agents, by the path that they are served at. */
export function makeAgents(gates: Gates): Record<string, TestAgent> {
  const agents: Record<string, TestAgent> = {
    echo: {source: echo, schemas: {config: {type: 'object', properties: {shout: SHOUT}}}},
    slow: {
      source: slow(gates),
      schemas: {input: {type: 'string'}, config: {type: 'object', properties: {gate: GATE}}}
    },
    tools: {source: tools(gates), schemas: {}},
    ask: {source: ask, schemas: {}},
    fail: {source: fail(), schemas: {}},
    long: {source: long, schemas: {}}
  }
  // All of them in one chat: `/tools …` is for `tools`. Without such a word, `echo` answers.
  const all: Source = call => {
    const first = wordsOf(questionOf(call.input))[0]?.replace('/', '') ?? ''
    const name = call.resumes !== undefined ? 'ask' : Object.hasOwn(agents, first) ? first : 'echo'
    return (agents[name] as TestAgent).source(call)
  }
  return {...agents, form: {source: form, schemas: FORM}, agent: {source: all, schemas: {}}}
}
