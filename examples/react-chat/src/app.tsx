import {ConnectionNotice, StreamingErrorBoundary, useFollowScroll, useStreamingChat, useThreads} from '@unspool/react'
import {Composer} from './composer.js'
import {Failure, Questions} from './questions.js'
import {TurnView} from './turn.js'

/** One chat, and the list of all. The thread is in the address, so that links lead to threads. */
export function App() {
  const {threads, reload, hasMore, loadMore} = useThreads()
  const chat = useStreamingChat({remember: 'hash', onFinish: reload})
  const {ref, atEnd, toEnd} = useFollowScroll<HTMLElement>()

  const send = (text: string) => {
    void chat.send(text)
    toEnd()
  }
  return (
    <div className="app">
      <header className="threads">
        <h1>Chat</h1>
        <details open={matchMedia('(min-width: 720px)').matches}>
          <summary>Conversations</summary>
          <nav aria-label="Conversations">
            <button type="button" onClick={() => chat.open()}>
              New chat
            </button>
            <ul>
              {threads.map(({id, title}) => (
                <li key={id}>
                  <a href={`#${id}`} aria-current={id === chat.threadId ? 'page' : undefined}>
                    {title ?? 'Untitled'}
                  </a>
                </li>
              ))}
            </ul>
            {hasMore && (
              <button type="button" onClick={loadMore}>
                Older
              </button>
            )}
          </nav>
        </details>
      </header>

      <main>
        <section className="turns" ref={ref} aria-label="Conversation" tabIndex={-1}>
          <StreamingErrorBoundary key={chat.threadId} fallback={<p className="failure">This chat cannot be shown.</p>}>
            {chat.turns.length === 0 && chat.status === 'ready' && <p className="hint">Ask something.</p>}
            {chat.turns.map(turn => (
              <TurnView
                key={turn.runId}
                turn={turn}
                busy={chat.isStreaming}
                onEdit={chat.edit}
                onRegenerate={chat.regenerate}
              />
            ))}
          </StreamingErrorBoundary>
          <Questions interrupts={chat.interrupts} onAnswer={chat.answer} />
          {chat.status === 'failed' && <Failure problem={chat.problem} onRetry={chat.retry} />}
        </section>
        {!atEnd && (
          <button type="button" className="latest" onClick={toEnd}>
            Jump to latest
          </button>
        )}
        <p className="status" role="status">
          {STATUS[chat.status]}
        </p>
        <ConnectionNotice connection={chat.connection} />
        <Composer key={chat.threadId} busy={chat.isStreaming} onSend={send} onStop={() => void chat.stop()} />
      </main>
    </div>
  )
}

/** For those who hear the page: states, and not each word. */
const STATUS = {
  restoring: 'Loading the conversation…',
  ready: '',
  submitted: 'Waiting for the answer…',
  streaming: 'Answering…',
  interrupted: 'The agent asks you something.',
  failed: ''
}
