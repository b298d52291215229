/** What the events of a run fold into, in the wire's own words: `spec/PROTOCOL.md`, section 8. All of it is immutable. */

import type {DataEvent, ErrorEvent, InterruptEvent, RunMetrics, RunStatus} from './events.js'

/** What was said, or (`kind: 'reasoning'`) thought. */
export interface TextPart {
  readonly type: 'text'
  readonly kind: 'text' | 'reasoning'
  readonly text: string
}

/** A tool call. `args_text` is the model's own JSON so far; `args` is there once it is complete. */
export interface ToolPart {
  readonly type: 'tool'
  readonly call_id: string
  readonly name: string
  readonly status: 'calling' | 'running' | 'done' | 'failed'
  readonly args_text: string
  readonly args?: unknown
  readonly result?: unknown
  readonly error?: string
}

/** An image, a sound or a document: at `url`, or as base64 `data`. */
export interface FilePart {
  readonly type: 'file'
  readonly media_type: string
  readonly url?: string
  readonly data?: string
  readonly name?: string
}

/** Where a part of the text comes from. */
export interface CitationPart {
  readonly type: 'citation'
  readonly url?: string
  readonly title?: string
  readonly text?: string
  readonly start?: number
  readonly end?: number
}

export type Part = TextPart | ToolPart | FilePart | CitationPart

/** What one side said. `complete` is false for a message that was cut off, or is still coming. */
export interface Message {
  readonly id: string
  readonly role: string
  readonly parts: readonly Part[]
  readonly name?: string
  readonly complete: boolean
  readonly finish_reason?: string
}

/** A graph node, a chain link or an agent. */
export interface Step {
  readonly id: string
  readonly name: string
  readonly parent_id?: string
  readonly done: boolean
}

/** Tokens, over all model calls of a run. */
export interface Usage {
  readonly input_tokens: number
  readonly output_tokens: number
  readonly total_tokens: number
  readonly reasoning_tokens: number
  readonly cached_tokens: number
  readonly model?: string
}

export interface Transcript {
  readonly last_seq: number
  readonly status: RunStatus
  readonly run_id?: string
  readonly thread_id?: string
  readonly source?: string
  readonly attempt: number
  readonly input?: unknown
  /** The interrupted run that this one continues. */
  readonly resumes?: string
  /** The run whose place this one took. */
  readonly replaces?: string
  readonly messages: readonly Message[]
  readonly steps: readonly Step[]
  readonly state?: unknown
  readonly data: readonly DataEvent[]
  readonly usage?: Usage
  readonly interrupts: readonly InterruptEvent[]
  readonly error?: ErrorEvent
  /** Once it has ended: what its end says, else its state, else the text of the last assistant message. */
  readonly output?: unknown
  readonly metrics?: RunMetrics
}

/** The text of a message, without the reasoning. */
export function textOf(message: Message): string {
  let text = ''
  for (const part of message.parts) if (part.type === 'text' && part.kind === 'text') text += part.text
  return text
}

/** Whether nothing follows. */
export function isEnded(status: RunStatus): boolean {
  return status !== 'queued' && status !== 'running'
}
