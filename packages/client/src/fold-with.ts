/** Folds the records of one run into its transcript. The rules are those of `spec/PROTOCOL.md`, section 8. */

import {UnspoolError} from './errors.js'
import type {
  DataEvent,
  EndEvent,
  ErrorEvent,
  InterruptEvent,
  KnownEvent,
  PatchOperation,
  StartEvent,
  StateEvent,
  StepEndEvent,
  StepStartEvent,
  UnspoolRecord,
  UsageEvent
} from './events.js'
import {askedIn} from './input.js'
import type {Message, Part, Step, TextPart, ToolPart, Transcript, Usage} from './transcript.js'

/** A message that is still written to. Its last text is gathered aside, so that a token costs the same at any length. */
interface Draft {
  message: Message
  parts: Part[]
  /** Index of the text part that tokens join. */
  open: number
  kind: TextPart['kind']
  text: string
  changed: boolean
}

type Applied<T extends KnownEvent['type']> = Extract<KnownEvent, {type: T}>

/** Applies a patch (RFC 6902) and returns what comes of it; what it was given stays as it is. Throws where it does not fit. */
export type ApplyPatch = (before: unknown, patch: PatchOperation[]) => unknown

/** A {@link import('./fold.js').Fold} that is told how to apply patches. */
export class FoldWith {
  /** What counts: without what a retry voided. */
  readonly records: UnspoolRecord[] = []
  lastSeq = 0

  readonly #applyPatch: ApplyPatch
  #start: StartEvent | undefined
  #end: EndEvent | undefined
  #error: ErrorEvent | undefined
  #attempt = 1
  #asked: Message[] = []
  #drafts = new Map<string, Draft>()
  #changed = new Set<Draft>()
  #tools = new Map<string, {draft: Draft; index: number}>()
  #speaker: string | undefined
  #steps = new Map<string, Step>()
  #state: {value: unknown} | undefined
  #data = new Map<string, DataEvent>()
  #usage: Usage | undefined
  #interrupts: InterruptEvent[] = []
  #messages: Message[] | undefined
  #lists: {steps: Step[]; data: DataEvent[]; interrupts: InterruptEvent[]} | undefined
  #transcript: Transcript | undefined

  constructor(applyPatch: ApplyPatch) {
    this.#applyPatch = applyPatch
  }

  get ended(): boolean {
    return this.#end !== undefined
  }

  /**
   * Folds one record, and says whether it was new.
   *
   * @throws {UnspoolError} `parse`: records are missing before it. Nothing has changed then.
   */
  fold(record: UnspoolRecord): boolean {
    const {seq, event} = record
    if (seq <= this.lastSeq) return false
    if (seq !== this.lastSeq + 1) {
      throw new UnspoolError('parse', `Events ${this.lastSeq + 1} to ${seq - 1} of the run are missing.`)
    }
    this.lastSeq = seq
    this.#transcript = undefined
    if (event.type === 'retry') this.#void(event.keep_seq, event.attempt)
    else {
      this.records.push(record)
      this.#apply(event)
    }
    return true
  }

  /** What it folds into now. The same object until something changes; what did not change in it is the same, too. */
  transcript(): Transcript {
    this.#transcript ??= this.#build()
    return this.#transcript
  }

  /** Retries are rare: what is left is folded anew. */
  #void(keepSeq: number, attempt: number): void {
    const kept = this.records.filter(({seq}) => seq <= keepSeq)
    const fresh = new FoldWith(this.#applyPatch)
    for (const {event} of kept) fresh.#apply(event)
    this.records.splice(0, this.records.length, ...kept)
    this.#start = fresh.#start
    this.#end = fresh.#end
    this.#error = fresh.#error
    this.#attempt = attempt
    this.#asked = fresh.#asked
    this.#drafts = fresh.#drafts
    this.#changed = fresh.#changed
    this.#tools = fresh.#tools
    this.#speaker = fresh.#speaker
    this.#steps = fresh.#steps
    this.#state = fresh.#state
    this.#data = fresh.#data
    this.#usage = fresh.#usage
    this.#interrupts = fresh.#interrupts
    this.#messages = this.#lists = undefined
  }

  #apply(event: KnownEvent): void {
    // Own members only: `type` comes from the network.
    if (Object.hasOwn(this.#on, event.type)) (this.#on[event.type] as (event: KnownEvent) => void)(event)
  }

  readonly #on: {[T in Exclude<KnownEvent['type'], 'retry'>]: (event: Applied<T>) => void} & {retry: () => void} = {
    start: event => {
      this.#start = event
      this.#attempt = event.attempt ?? 1
      this.#asked = askedIn(event.run_id, event.input)
      this.#messages = undefined
    },
    message_start: ({message_id, role, name}) => {
      const draft = this.#draft(message_id)
      this.#touch(draft)
      draft.message = {...draft.message, role: role ?? 'assistant', ...(name !== undefined && {name})}
    },
    token: event => this.#text(event.message_id, 'text', event.text),
    reasoning: event => this.#text(event.message_id, 'reasoning', event.text),
    message_end: ({message_id, finish_reason}) => {
      const draft = this.#draft(message_id)
      this.#touch(draft)
      draft.message = {...draft.message, complete: true, ...(finish_reason !== undefined && {finish_reason})}
    },
    tool_start: ({call_id, name, message_id}) => this.#tool(call_id, tool => ({...tool, name}), message_id),
    tool_args: ({call_id, text}) => this.#tool(call_id, tool => ({...tool, args_text: tool.args_text + text})),
    tool_call: ({call_id, name, args}) => this.#tool(call_id, tool => ({...tool, name, args, status: 'running'})),
    tool_end: ({call_id, result, error}) =>
      this.#tool(call_id, tool => ({
        ...tool,
        result,
        ...(error !== undefined && {error}),
        status: error === undefined ? 'done' : 'failed'
      })),
    step_start: event => this.#step(event, false),
    step_end: event => this.#step(event, true),
    state: event => {
      this.#state = {value: this.#stateAfter(event)}
    },
    data: event => {
      if (event.transient) return
      // Without an id each one stands for itself.
      this.#data.set(JSON.stringify([event.name, event.id ?? this.#data.size]) + (event.id === undefined), event)
      this.#lists = undefined
    },
    citation: ({message_id, type, ...facts}) => {
      const draft = this.#draft(message_id)
      this.#touch(draft)
      draft.parts.push({type, ...facts})
    },
    file: ({message_id, type, ...facts}) => {
      this.#add(message_id ?? this.#speaker ?? 'file-message', {type, ...facts})
    },
    usage: event => {
      this.#usage = sum(this.#usage, event)
    },
    interrupt: event => {
      this.#interrupts.push(event)
      this.#lists = undefined
    },
    retry: () => {},
    error: event => {
      this.#error = event
    },
    end: event => {
      this.#end = event
    }
  }

  #draft(id: string): Draft {
    let draft = this.#drafts.get(id)
    if (!draft) {
      const message: Message = {id, role: 'assistant', parts: [], complete: false}
      draft = {message, parts: [], open: -1, kind: 'text', text: '', changed: false}
      this.#drafts.set(id, draft)
      this.#touch(draft)
    }
    this.#speaker = id
    return draft
  }

  #touch(draft: Draft): void {
    if (draft.changed) return
    draft.changed = true
    draft.parts = [...draft.parts]
    this.#changed.add(draft)
    this.#messages = undefined
  }

  #text(id: string, kind: TextPart['kind'], text: string): void {
    const draft = this.#draft(id)
    this.#touch(draft)
    if (draft.open < 0 || draft.kind !== kind) {
      settle(draft)
      draft.open = draft.parts.push({type: 'text', kind, text: ''}) - 1
      draft.kind = kind
      draft.text = ''
    }
    draft.text += text
  }

  #add(id: string, part: Part): {draft: Draft; index: number} {
    const draft = this.#draft(id)
    this.#touch(draft)
    settle(draft)
    draft.open = -1
    return {draft, index: draft.parts.push(part) - 1}
  }

  #tool(callId: string, change: (tool: ToolPart) => ToolPart, messageId?: string): void {
    let place = this.#tools.get(callId)
    if (!place) {
      const tool: ToolPart = {type: 'tool', call_id: callId, name: '', status: 'calling', args_text: ''}
      place = this.#add(messageId ?? this.#speaker ?? `${callId}-message`, tool)
      this.#tools.set(callId, place)
    }
    const {draft, index} = place
    this.#touch(draft)
    draft.parts[index] = change(draft.parts[index] as ToolPart)
  }

  #step({step_id: id, name, parent_id}: StepStartEvent | StepEndEvent, done: boolean): void {
    const known = done ? this.#steps.get(id) : undefined
    this.#steps.set(id, known ? {...known, done} : {id, name, ...(parent_id !== undefined && {parent_id}), done})
    this.#lists = undefined
  }

  #stateAfter({patch, snapshot}: StateEvent): unknown {
    if (!patch) return snapshot
    try {
      return this.#applyPatch(this.#state?.value, patch)
    } catch (cause) {
      throw new UnspoolError('parse', 'A state patch does not fit the state before it.', {cause})
    }
  }

  #build(): Transcript {
    for (const draft of this.#changed) {
      settle(draft)
      draft.message = {...draft.message, parts: draft.parts}
      draft.changed = false
    }
    this.#changed.clear()
    this.#messages ??= [...this.#asked, ...Array.from(this.#drafts.values(), ({message}) => message)]
    this.#lists ??= {
      steps: [...this.#steps.values()],
      data: [...this.#data.values()],
      interrupts: [...this.#interrupts]
    }
    const start = this.#start
    const end = this.#end
    return {
      last_seq: this.lastSeq,
      status: end?.status ?? (start ? 'running' : 'queued'),
      attempt: this.#attempt,
      messages: this.#messages,
      ...this.#lists,
      ...(start && {run_id: start.run_id, source: start.source, input: start.input}),
      ...(start?.thread_id !== undefined && {thread_id: start.thread_id}),
      ...(start?.resumes !== undefined && {resumes: start.resumes}),
      ...(start?.replaces !== undefined && {replaces: start.replaces}),
      ...(this.#state && {state: this.#state.value}),
      ...(this.#usage && {usage: this.#usage}),
      ...(this.#error && {error: this.#error}),
      ...(end && {output: end.output ?? (this.#state ? this.#state.value : this.#lastText())}),
      ...(end?.metrics && {metrics: end.metrics})
    }
  }

  #lastText(): string | undefined {
    const said = this.#messages?.filter(({role}) => role === 'assistant').at(-1)
    const texts = said?.parts.map(part => (part.type === 'text' && part.kind === 'text' ? part.text : ''))
    return texts?.join('') || undefined
  }
}

/** Puts the gathered text where it belongs. */
function settle(draft: Draft): void {
  if (draft.open >= 0) draft.parts[draft.open] = {type: 'text', kind: draft.kind, text: draft.text}
}

function sum(before: Usage | undefined, event: UsageEvent): Usage {
  const model = event.model ?? before?.model
  return {
    input_tokens: (before?.input_tokens ?? 0) + (event.input_tokens ?? 0),
    output_tokens: (before?.output_tokens ?? 0) + (event.output_tokens ?? 0),
    total_tokens: (before?.total_tokens ?? 0) + (event.total_tokens ?? 0),
    reasoning_tokens: (before?.reasoning_tokens ?? 0) + (event.reasoning_tokens ?? 0),
    cached_tokens: (before?.cached_tokens ?? 0) + (event.cached_tokens ?? 0),
    ...(model !== undefined && {model})
  }
}
