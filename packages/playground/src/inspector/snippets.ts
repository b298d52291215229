/** Source code that makes the same call again: same place, same input. Secrets are never in it. */

import {javascript, python, shellWord} from './literals.js'

/** What was called. */
export interface Call {
  /** Of the agent's mount; absolute. */
  url: string
  input?: unknown
  config?: Record<string, unknown>
  threadId?: string
  /** The interrupted run that this one answered, and the answers, where they are known. */
  resumes?: string
  answers?: Record<string, unknown>
  /** The names of the headers that were sent, and how their values begin: `Bearer `, or nothing. */
  headers: readonly HeaderName[]
}

export interface HeaderName {
  name: string
  scheme: string
}

export const LANGUAGES = ['curl', 'Python', 'React'] as const
export type Language = (typeof LANGUAGES)[number]

const UNKNOWN_ANSWER = 'YOUR ANSWER'

/** The headers of a call without their secrets: the names, and an authentication scheme such as `Bearer`. */
export function headerNames(headers: HeadersInit | undefined): HeaderName[] {
  return [...new Headers(headers)]
    .filter(([name]) => name !== 'content-type' && name !== 'accept')
    .map(([name, value]) => ({
      name: name.replace(/(^|-)[a-z]/g, letter => letter.toUpperCase()),
      scheme: name.endsWith('authorization') ? (/^(Bearer|Basic|Token) /i.exec(value)?.[0] ?? '') : ''
    }))
}

export function snippet(language: Language, call: Call): string {
  switch (language) {
    case 'curl':
      return curl(call)
    case 'Python':
      return pythonCode(call)
    case 'React':
      return call.resumes === undefined ? reactCode(call) : reactAnswer(call)
  }
}

function answersOf(call: Call): {answer: unknown} | {answers: Record<string, unknown>} {
  return call.answers === undefined ? {answer: UNKNOWN_ANSWER} : {answers: call.answers}
}

/** `-N`: curl shows each event as it comes. The token is expanded by the shell, from its environment. */
function curl(call: Call): string {
  const path = call.resumes === undefined ? '/stream' : `/runs/${encodeURIComponent(call.resumes)}/resume`
  const body =
    call.resumes === undefined
      ? {
          input: call.input ?? null,
          ...(call.threadId === undefined ? {} : {thread_id: call.threadId}),
          ...configOf(call)
        }
      : {...answersOf(call), ...configOf(call)}
  const headers = call.headers.map(({name, scheme}) =>
    /^[\w-]+$/.test(name)
      ? `-H "${name}: ${scheme}$UNSPOOL_TOKEN"`
      : `-H ${shellWord(`${name}: ${scheme}`)}"$UNSPOOL_TOKEN"`
  )
  return [
    `curl -N ${shellWord(call.url + path)}`,
    ...headers,
    "-H 'Content-Type: application/json'",
    `--data-raw ${shellWord(JSON.stringify(body))}`
  ].join(' \\\n  ')
}

function configOf(call: Call): {config?: Record<string, unknown>} {
  return call.config === undefined || Object.keys(call.config).length === 0 ? {} : {config: call.config}
}

function pythonCode(call: Call): string {
  const secret = call.headers.length > 0
  const headers = call.headers.map(({name, scheme}) => {
    const value = scheme ? `${python(scheme)} + os.environ["UNSPOOL_TOKEN"]` : 'os.environ["UNSPOOL_TOKEN"]'
    return `    ${python(name)}: ${value},\n`
  })
  const {config} = configOf(call)
  const named = [
    ...(call.threadId === undefined ? [] : [`thread_id=${python(call.threadId)}`]),
    ...(config === undefined ? [] : [`config=${python(config, 2)}`])
  ]
  const answer = call.answers === undefined ? python(UNKNOWN_ANSWER) : `answers=${python(call.answers, 2)}`
  const started =
    call.resumes === undefined
      ? `client.stream(${[python(call.input ?? null, 1), ...named].join(', ')})`
      : `client.resume(${python(call.resumes)}, ${answer})`
  return [
    ...(secret ? ['import os\n'] : []),
    'from unspool.client import Client',
    'from unspool.events import Token',
    ...(secret ? [`\nheaders = {\n${headers.join('')}}`] : []),
    '',
    `with Client(${python(call.url)}${secret ? ', headers=headers' : ''}) as client:`,
    `    with ${started} as run:`,
    '        for event in run:',
    '            if isinstance(event, Token):',
    '                print(event.text, end="", flush=True)',
    ''
  ].join('\n')
}

function reactOptions(call: Call): string {
  const headers = Object.fromEntries(call.headers.map(({name, scheme}) => [name, `${scheme}$UNSPOOL_TOKEN`]))
  return call.headers.length === 0 ? javascript({url: call.url}) : javascript({url: call.url, headers})
}

function reactCode(call: Call): string {
  const options = {...(call.threadId === undefined ? {} : {threadId: call.threadId}), ...configOf(call)}
  const started = Object.keys(options).length > 0 ? 'input, options' : 'input'
  return [
    "import {useStreamingResponse} from '@unspool/react'",
    '',
    `const agent = ${reactOptions(call)}`,
    `const input = ${javascript(call.input ?? null)}`,
    ...(Object.keys(options).length > 0 ? [`const options = ${javascript(options)}`] : []),
    '',
    'export function Answer() {',
    '  const {text, error, isStreaming, start, stop} = useStreamingResponse(agent)',
    '  return (',
    '    <section>',
    `      <button type="button" onClick={() => (isStreaming ? stop() : start(${started}))}>`,
    "        {isStreaming ? 'Stop' : 'Start'}",
    '      </button>',
    '      <p>{text}</p>',
    '      {error && <p role="alert">{error.message}</p>}',
    '    </section>',
    '  )',
    '}',
    ''
  ].join('\n')
}

function reactAnswer(call: Call): string {
  return [
    "import {connect} from '@unspool/client'",
    "import {useRun} from '@unspool/react'",
    "import {useState} from 'react'",
    '',
    `const agent = connect(${reactOptions(call)})`,
    '',
    'export function Answer() {',
    '  const [runId, setRunId] = useState<string>()',
    '  const {text} = useRun(runId, {client: agent})',
    `  const answer = () => setRunId(agent.resume(${javascript(call.resumes)}, ${javascript(answersOf(call), 1)}).id)`,
    '  return (',
    '    <section>',
    '      <button type="button" onClick={answer}>Answer</button>',
    '      <p>{text}</p>',
    '    </section>',
    '  )',
    '}',
    ''
  ].join('\n')
}
