import {type Client, isEnded} from '@unspool/client'
import type {Attachment, ChatMessage, Turn} from '@unspool/client/chat'
import {memo} from 'react'
import {JsonView} from '../ui/JsonView.js'
import {Answer} from './Answer.js'
import {DataList} from './DataList.js'
import {Dots} from './Dots.js'
import {ErrorCard} from './ErrorCard.js'
import {InputView} from './InputView.js'
import {Interrupts} from './Interrupts.js'
import {problemOf} from './problem.js'
import {Steps} from './Steps.js'
import {TurnFooter} from './TurnFooter.js'
import {UserMessage} from './UserMessage.js'

/** What can be done from within a turn. The same functions for as long as the agent is the same. */
export interface TurnActions {
  onEdit(runId: string | undefined): void
  onSave(runId: string, text: string, files: Attachment[]): void
  onRegenerate(runId: string): void
  onAnswer(runId: string, answer: {answer: unknown} | {answers: Record<string, unknown>}): void
  onReload(): void
  onInspect(runId: string): void
  onSettings(): void
}

interface TurnViewProps {
  turn: Turn
  client: Client
  chat: boolean
  editing: boolean
  last: boolean
  actions: TurnActions
}

/** One question and its answer. */
export const TurnView = memo(function TurnView({turn, client, chat, editing, last, actions}: TurnViewProps) {
  const {runId, messages, transcript, interrupts, run, status} = turn
  const asked = messages.filter(isAsked)
  const said = messages.filter(message => !isAsked(message) && message.role !== 'tool')
  const live = run !== undefined
  const named =
    new Set(said.map(({name}) => name)).size > 1 || (said[0]?.name !== undefined && transcript.steps.length > 0)
  const problem = problemOf(turn)
  const silent = said.every(({parts}) => parts.length === 0)
  return (
    <li className="turn" data-status={status} data-last={last}>
      <h3 className="visually-hidden">{turnTitle(turn, asked)}</h3>
      {chat || asked.length > 0
        ? asked.map((message, index) => (
            <UserMessage
              key={message.id}
              message={message}
              editing={editing && index === asked.length - 1}
              onEdit={message.role === 'user' && index === asked.length - 1 ? () => actions.onEdit(runId) : undefined}
              onCancel={() => actions.onEdit(undefined)}
              onSave={(text, files) => actions.onSave(runId, text, files)}
            />
          ))
        : turn.input !== undefined && <InputView input={turn.input} />}
      <div className="answer">
        <Steps steps={transcript.steps} state={transcript.state} live={live} />
        <DataList data={transcript.data} />
        {said.map(message => (
          <Answer key={message.id} message={message} live={live} named={named} />
        ))}
        {live && silent && (
          <p className="waiting">
            <Dots /> {transcript.attempt > 1 ? `Attempt ${transcript.attempt}` : 'Waiting for the answer'}
          </p>
        )}
        {isEnded(status) && silent && transcript.output != null && (
          <JsonView value={transcript.output} label="Output" />
        )}
        {interrupts.length > 0 && !live && (
          <Interrupts interrupts={interrupts} onAnswer={answer => actions.onAnswer(runId, answer)} />
        )}
        {status === 'cancelled' && <p className="note">This answer was stopped. What it had said is kept.</p>}
        {problem && problem.code !== 'cancelled' && (
          <ErrorCard
            problem={problem}
            onRetry={
              isEnded(status) || transcript.run_id === undefined ? () => actions.onRegenerate(runId) : actions.onReload
            }
            onSettings={actions.onSettings}
          />
        )}
        {((live && !silent) || isEnded(status)) && (
          <TurnFooter
            turn={turn}
            last={last}
            client={client}
            onRegenerate={() => actions.onRegenerate(runId)}
            onInspect={() => actions.onInspect(runId)}
          />
        )}
      </div>
    </li>
  )
})

const isAsked = ({role}: ChatMessage): boolean => role === 'user' || role === 'system'

function turnTitle({input}: Turn, asked: readonly ChatMessage[]): string {
  const text = asked.flatMap(({parts}) => parts.flatMap(part => (part.type === 'text' ? part.text : []))).join(' ')
  if (text) return `You asked: ${text.slice(0, 80)}`
  return input === undefined ? 'The run went on' : 'You asked'
}
