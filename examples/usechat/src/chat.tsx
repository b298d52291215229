import {useChat} from '@ai-sdk/react'
import {useFollowScroll} from '@unspool/react'
import {isToolUIPart, lastAssistantMessageIsCompleteWithApprovalResponses} from 'ai'
import {useCallback, useRef} from 'react'
import {type Message, transport} from './agent.js'
import {Composer} from './composer.js'
import {Failure} from './failure.js'
import {MessageView} from './message.js'

interface ChatProps {
  id: string
  /** What was said before. */
  past: Message[]
  /** Asks the server again what was said. */
  onReload: () => void
}

export function Chat({id, past, onReload}: ChatProps) {
  const {messages, status, error, sendMessage, regenerate, stop, addToolApprovalResponse} = useChat<Message>({
    id,
    messages: past,
    transport,
    resume: true,
    sendAutomaticallyWhen: lastAssistantMessageIsCompleteWithApprovalResponses,
    experimental_throttle: 50
  })
  const {ref, atEnd, toEnd} = useFollowScroll<HTMLElement>()
  const main = useRef<HTMLElement>(null)

  const last = messages.at(-1)
  const busy = status === 'submitted' || status === 'streaming'
  const writes = last?.parts.at(-1)?.type
  const waits = status === 'submitted' || (busy && writes !== 'text' && writes !== 'reasoning')
  const asks = last?.parts.some(part => isToolUIPart(part) && part.state === 'approval-requested') ?? false

  const send = (text: string) => {
    void sendMessage({text})
    toEnd()
  }
  // A button that was used is gone: the focus must not be lost with it.
  const focused = (text: string) => {
    main.current?.focus()
    send(text)
  }
  const onDecide = useCallback<typeof addToolApprovalResponse>(
    approval => {
      main.current?.focus()
      return addToolApprovalResponse(approval)
    },
    [addToolApprovalResponse]
  )
  const again = () => {
    main.current?.focus()
    void regenerate()
    toEnd()
  }
  // Whether the server has heard a decision that could not be sent, only the server knows.
  const decided = last?.parts.some(part => isToolUIPart(part) && part.state === 'approval-responded')
  return (
    <main ref={main} tabIndex={-1}>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard */}
      <section className="messages" ref={ref} aria-label="Conversation" tabIndex={0}>
        {!last && <Welcome onSend={focused} />}
        {messages.map(message => (
          <MessageView
            key={message.id}
            message={message}
            live={busy && message === last}
            note={status === 'ready' || message !== last ? noteOf(message) : undefined}
            onDecide={onDecide}
          />
        ))}
        {waits && <p className="waiting" aria-hidden="true" />}
        {status === 'ready' && last && !asks && (
          <p className="actions">
            <button type="button" className="quiet" onClick={again}>
              Ask again
            </button>
          </p>
        )}
        {error && <Failure error={error} onRetry={decided ? onReload : again} />}
      </section>
      {!atEnd && (
        <button type="button" className="latest" onClick={toEnd}>
          Jump to latest
        </button>
      )}
      <p className="heard" role="status">
        {asks ? 'The agent asks for your approval.' : waits ? 'Waiting for the answer…' : STATUS[status]}
      </p>
      <Composer
        busy={busy}
        waitsFor={asks ? 'Approve or reject first' : undefined}
        onSend={send}
        onStop={() => void stop()}
      />
    </main>
  )
}

/** For those who hear the page: states, and not each word. */
const STATUS = {submitted: '', streaming: 'Answering…', ready: 'Ready.', error: ''}

function Welcome({onSend}: {onSend: (text: string) => void}) {
  return (
    <div className="hint">
      <p>The agent looks after a folder of files, and asks you before it deletes one.</p>
      <p className="actions">
        {['Which files are there?', 'Delete draft.txt'].map(text => (
          <button key={text} type="button" onClick={() => onSend(text)}>
            {text}
          </button>
        ))}
      </p>
    </div>
  )
}

function noteOf({role, metadata}: Message): string | undefined {
  return role === 'assistant' ? NOTES[metadata?.status ?? 'cancelled'] : undefined
}

const NOTES: Record<string, string> = {cancelled: 'Stopped.', failed: 'This answer failed.'}
