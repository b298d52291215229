import type {Client, Schemas} from '@unspool/client'
import type {UserMessage} from '@unspool/client/chat'
import {useFollowScroll} from '@unspool/react'
import {type RefObject, useCallback, useMemo, useState} from 'react'
import {useAnnounce} from '../ui/Announcer.js'
import {Icon} from '../ui/Icon.js'
import {Composer} from './Composer.js'
import {useDraft} from './drafts.js'
import {Empty, examplesOr} from './Empty.js'
import {ErrorCard} from './ErrorCard.js'
import {FormComposer} from './FormComposer.js'
import {examplesOf, isChat} from './kind.js'
import {type Problem, problemFrom} from './problem.js'
import {type TurnActions, TurnView} from './TurnView.js'
import {useAttachments} from './useAttachments.js'
import type {Conversation} from './useConversation.js'
import {useFileDrop} from './useFileDrop.js'

interface ChatViewProps {
  conversation: Conversation
  client: Client
  schemas: Schemas | undefined
  /** Why the schemas are not there. */
  problem: Problem | undefined
  name: string
  note: string
  draftKey: string
  area: RefObject<HTMLTextAreaElement | null>
  /** The turn whose question is being edited. */
  editing: string | undefined
  onEdit(runId: string | undefined): void
  onInspect(runId: string): void
  onSettings(): void
  onRetry(): void
}

const MAX_BODY_BYTES = 1024 * 1024

/** The conversation, and where one writes. */
export function ChatView(props: ChatViewProps) {
  const {
    conversation,
    client,
    schemas,
    problem,
    name,
    note,
    draftKey,
    area,
    editing,
    onEdit,
    onInspect,
    onSettings,
    onRetry
  } = props
  const {turns, status, actions: chat} = conversation
  const announce = useAnnounce()
  const follow = useFollowScroll()
  const [notices, setNotices] = useState<readonly string[]>([])
  const chatty = isChat(schemas?.input)
  // A form is filled in once, and varied from run to run.
  const [draft, setDraft] = useDraft(chatty ? draftKey : `${client.url} form`)
  const accepts = useMemo(() => schemas?.accepts ?? [], [schemas])
  const running = turns.some(({run}) => run)
  const {toEnd} = follow

  const attempt = useCallback(
    (what: Promise<unknown>) => {
      what.catch((error: unknown) => {
        const {message} = problemFrom(error)
        setNotices([message])
        announce(message)
      })
    },
    [announce]
  )
  const actions: TurnActions = useMemo(
    () => ({
      onEdit: runId => {
        onEdit(runId)
        if (runId === undefined) area.current?.focus()
      },
      onInspect,
      onSettings,
      onReload: chat.reload,
      onSave: (runId, text, files) => {
        onEdit(undefined)
        area.current?.focus()
        attempt(chat.edit(runId, {text, ...(files.length > 0 && {files})}))
      },
      onRegenerate: runId => attempt(chat.regenerate(runId)),
      onAnswer: (runId, answer) => attempt(chat.answer(answer, runId))
    }),
    [chat, onEdit, onInspect, onSettings, attempt, area]
  )

  const refused = (reasons: readonly string[]) => {
    setNotices(reasons)
    if (reasons.length > 0) announce(reasons.join(' '))
  }
  const attached = useAttachments({accepts, maxBodyBytes: schemas?.max_body_bytes ?? MAX_BODY_BYTES}, refused)
  const began = () => {
    setDraft('')
    attached.clear()
    setNotices([])
    toEnd()
  }
  const send = (message: UserMessage) => {
    began()
    attempt(chat.send(message))
  }
  const stop = () => attempt(chat.stop())
  const attach = (chosen: readonly File[]) => attempt(attached.add(chosen))
  const drop = useFileDrop(accepts.length > 0, attach)

  return (
    <div className="chat" {...drop}>
      <div className="scroller" ref={follow.ref}>
        <div className="column">
          <h2 className="visually-hidden">Conversation</h2>
          {problem && <ErrorCard key={problem.message} problem={problem} onRetry={onRetry} onSettings={onSettings} />}
          {status === 'restoring' && <p className="note">Loading the conversation…</p>}
          {status === 'failed' && turns.length === 0 && conversation.problem && (
            <ErrorCard problem={conversation.problem} onRetry={chat.reload} onSettings={onSettings} />
          )}
          {status === 'ready' && turns.length === 0 && schemas && (
            <Empty
              name={name}
              description={schemas.description}
              note={note}
              examples={chatty ? examplesOr(examplesOf(schemas.input)) : []}
              onExample={text => send({text})}
            />
          )}
          <ol className="turns" aria-label="Turns">
            {turns.map((turn, index) => (
              <TurnView
                key={turn.runId}
                turn={turn}
                client={client}
                chat={chatty}
                editing={editing === turn.runId}
                last={index === turns.length - 1}
                actions={actions}
              />
            ))}
          </ol>
        </div>
      </div>
      <div className="dock">
        {!follow.atEnd && (
          <button type="button" className="button jump" onClick={toEnd}>
            <Icon name="arrow" /> Jump to latest
          </button>
        )}
        {notices.length > 0 && (
          <div className="notices">
            {notices.map(text => (
              <p key={text} className="wrong">
                {text}
              </p>
            ))}
          </div>
        )}
        {!schemas && !problem ? null : chatty || !schemas?.input ? (
          <Composer
            text={draft}
            files={attached.files}
            accepts={accepts}
            running={running}
            busy={status === 'restoring'}
            name={name}
            area={area}
            onText={setDraft}
            onFiles={attach}
            onRemoveFile={attached.remove}
            onSend={send}
            onStop={stop}
            onEditLast={() => onEdit(turns.findLast(isEditable)?.runId)}
          />
        ) : (
          <FormComposer
            schema={schemas.input}
            draft={draft}
            running={running}
            onDraft={setDraft}
            onSubmit={input => {
              toEnd()
              attempt(chat.submit(input))
            }}
            onStop={stop}
          />
        )}
      </div>
    </div>
  )
}

const isEditable = ({messages}: Conversation['turns'][number]): boolean => messages.some(({role}) => role === 'user')
