/** The ways to show a chat of which the last message grows. */

import {connect, type Message} from '@unspool/client'
import {StreamingMessage, useStreamingResponse} from '@unspool/react'
import {memo, type ReactElement, useMemo, useState, useSyncExternalStore} from 'react'
import ReactMarkdown from 'react-markdown'
import remarkGfm from 'remark-gfm'
import {Markdown} from '../../../packages/playground/src/markdown/index.ts'
import {readTokens} from './transport.js'

export interface VariantProps {
  /** The texts of the messages before. */
  history: readonly string[]
  send: typeof fetch
  /** Gives the caller the way to ask; it resolves when the answer is complete. */
  ready: (ask: () => Promise<void>) => void
}

export type Variant = (properties: VariantProps) => ReactElement

/** Ours, as an app would write it. */
function Ours({history, send, ready}: VariantProps) {
  const client = useMemo(() => connect({url: '/agent', fetch: send}), [send])
  const {messages, start} = useStreamingResponse({client})
  const before = useMemo(() => history.map((text, index) => messageOf(String(index), text)), [history])
  ready(async () => {
    await start('go').finished
  })
  return (
    <>
      {before.map(message => (
        <StreamingMessage key={message.id} message={message} renderText={renderMarkdown} />
      ))}
      {messages.map(message => (
        <StreamingMessage key={message.id} message={message} renderText={renderMarkdown} />
      ))}
    </>
  )
}

const renderMarkdown = ({text}: {text: string}, complete: boolean) => <Markdown text={text} complete={complete} />

function messageOf(id: string, text: string): Message {
  return {id, role: 'assistant', complete: true, parts: [{type: 'text', kind: 'text', text}]}
}

/** As tutorials have it: a new array for each token, and all of the markdown each time. */
function Naive({history, send, ready}: VariantProps) {
  const [messages, setMessages] = useState(() => history.map((text, index) => ({id: String(index), text})))
  ready(async () => {
    const id = crypto.randomUUID()
    setMessages(before => [...before, {id, text: ''}])
    await readTokens(send, tokens => {
      for (const token of tokens) {
        setMessages(before => before.map(each => (each.id === id ? {...each, text: each.text + token} : each)))
      }
    })
  })
  return (
    <>
      {messages.map(({id, text}) => (
        <article key={id}>
          <ReactMarkdown remarkPlugins={[remarkGfm]}>{text}</ReactMarkdown>
        </article>
      ))}
    </>
  )
}

/** The floor: plain text, told to React once per frame. */
function Floor({history, send, ready}: VariantProps) {
  const store = useMemo(textStore, [])
  const text = useSyncExternalStore(store.subscribe, store.get)
  ready(() => {
    store.clear()
    return readTokens(send, store.add)
  })
  return (
    <>
      {history.map(each => (
        <Plain key={each} text={each} />
      ))}
      {text && <Plain text={text} />}
    </>
  )
}

const Plain = memo(function Plain({text}: {text: string}) {
  return <article className="plain">{text}</article>
})

/** The same, but for one element per paragraph: the browser then lays out less. */
function FloorParagraphs({history, send, ready}: VariantProps) {
  const store = useMemo(textStore, [])
  const text = useSyncExternalStore(store.subscribe, store.get)
  ready(() => {
    store.clear()
    return readTokens(send, store.add)
  })
  return (
    <>
      {[...history, ...(text ? [text] : [])].map((each, index) => (
        <PlainParagraphs key={index} text={each} />
      ))}
    </>
  )
}

const PlainParagraphs = memo(function PlainParagraphs({text}: {text: string}) {
  return (
    <article>
      {text.split('\n\n').map((paragraph, index) => (
        <PlainParagraph key={index} text={paragraph} />
      ))}
    </article>
  )
})

const PlainParagraph = memo(function PlainParagraph({text}: {text: string}) {
  return <p className="plain">{text}</p>
})

function textStore() {
  const listeners = new Set<() => void>()
  let text = ''
  let shown = ''
  let due = false
  const show = () => {
    due = false
    shown = text
    for (const listener of listeners) listener()
  }
  return {
    get: () => shown,
    subscribe(listener: () => void) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    clear() {
      text = ''
    },
    add(tokens: string[]) {
      text += tokens.join('')
      if (!due) requestAnimationFrame(show)
      due = true
    }
  }
}

export const VARIANTS: Record<string, Variant> = {ours: Ours, naive: Naive, floor: Floor, paragraphs: FloorParagraphs}
