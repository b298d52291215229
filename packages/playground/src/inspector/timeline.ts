/** Records into the bars of a waterfall: steps, model calls (messages) and tools. Each record costs the same. */

import type {KnownEvent, UnspoolRecord} from '@unspool/client'

export type BarKind = 'step' | 'message' | 'tool'

/** `cut`: the run ended before it did. `void`: a retry took it back. */
export type BarState = 'running' | 'done' | 'failed' | 'cut' | 'void'

/** The states in words. */
export const STATES: Record<BarState, string> = {
  running: 'running',
  done: 'done',
  failed: 'failed',
  cut: 'cut off',
  void: 'void: a retry took it back'
}

/** Times are seconds since the start of the run. */
export interface Bar {
  readonly key: string
  readonly kind: BarKind
  readonly id: string
  name: string
  readonly depth: number
  readonly startSeq: number
  readonly start: number
  endSeq?: number
  end?: number
  /** When its first text came (a message), or its arguments were complete (a tool). */
  ready?: number
  /** Pieces of text or reasoning. */
  pieces: number
  state: BarState
  /** Why it ended so. */
  detail?: string
  readonly parent: Bar | undefined
  readonly children: Bar[]
}

/** A moment worth a line across the waterfall. */
export interface Mark {
  readonly kind: 'retry' | 'error' | 'interrupt'
  readonly seq: number
  readonly time: number
  readonly label: string
}

type Of<T extends KnownEvent['type']> = Extract<KnownEvent, {type: T}>

export class Timeline {
  readonly marks: Mark[] = []
  /** Of the newest record, in seconds since the start of the run. */
  time = 0

  #started: number | undefined
  #seq = 0
  #bars: Bar[] = []
  #roots: Bar[] = []
  #byKey = new Map<string, Bar>()
  #openSteps: Bar[] = []
  #rows: Bar[] | undefined

  add(record: UnspoolRecord): void {
    const {seq, at, event} = record
    this.#started ??= at
    this.#seq = seq
    this.time = Math.max(this.time, at - this.#started)
    this.#apply(event)
  }

  /** All bars, each followed by those inside it, in the order in which they began. The same array until one is added. */
  rows(): readonly Bar[] {
    if (this.#rows) return this.#rows
    const rows: Bar[] = []
    const walk = (bars: readonly Bar[]): void => {
      for (const bar of bars) {
        rows.push(bar)
        walk(bar.children)
      }
    }
    walk(this.#roots)
    this.#rows = rows
    return rows
  }

  #apply(event: KnownEvent): void {
    switch (event.type) {
      case 'step_start':
        this.#step(event)
        break
      case 'step_end':
        this.#close(this.#byKey.get(`step ${event.step_id}`) ?? this.#step(event))
        break
      case 'message_start':
        this.#message(event.message_id, event.name ?? event.role ?? 'assistant', event.name)
        break
      case 'token':
      case 'reasoning': {
        const bar = this.#message(event.message_id)
        bar.pieces++
        bar.ready ??= this.time
        break
      }
      case 'message_end':
        this.#close(this.#message(event.message_id), event.finish_reason)
        break
      case 'tool_start':
        this.#tool(event)
        break
      case 'tool_args':
        this.#tool({call_id: event.call_id})
        break
      case 'tool_call': {
        const bar = this.#tool(event)
        bar.ready ??= this.time
        break
      }
      case 'tool_end': {
        const bar = this.#tool({call_id: event.call_id})
        this.#close(bar, event.error, event.error === undefined ? 'done' : 'failed')
        break
      }
      case 'interrupt':
        this.#mark('interrupt', 'Waits for a person')
        break
      case 'error':
        this.#mark('error', `${event.code}: ${event.message}`)
        break
      case 'retry':
        this.#retry(event)
        break
      case 'end':
        this.#end(event)
        break
    }
  }

  #step(event: Of<'step_start'> | Of<'step_end'>): Bar {
    const parent = event.parent_id === undefined ? undefined : this.#byKey.get(`step ${event.parent_id}`)
    const bar = this.#open('step', event.step_id, event.name, parent)
    this.#openSteps.push(bar)
    return bar
  }

  /** A message belongs to the step of the node that speaks, else to the step that began last. */
  #message(id: string, name = 'assistant', speaker?: string): Bar {
    const known = this.#byKey.get(`message ${id}`)
    if (known) return known
    const named = speaker === undefined ? undefined : this.#openSteps.findLast(step => step.name === speaker)
    return this.#open('message', id, name, named ?? this.#openSteps.at(-1))
  }

  /** A tool belongs to the step of the message that called it, if that goes on, else to the step that began last. */
  #tool(event: {call_id: string; name?: string; message_id?: string}): Bar {
    const known = this.#byKey.get(`tool ${event.call_id}`)
    if (known) {
      if (event.name !== undefined) known.name = event.name
      return known
    }
    const caller = event.message_id === undefined ? undefined : this.#byKey.get(`message ${event.message_id}`)
    const parent = caller?.parent?.state === 'running' ? caller.parent : this.#openSteps.at(-1)
    return this.#open('tool', event.call_id, event.name ?? 'tool', parent)
  }

  #open(kind: BarKind, id: string, name: string, parent: Bar | undefined): Bar {
    const bar: Bar = {
      key: `${kind} ${id} ${this.#seq}`,
      kind,
      id,
      name,
      depth: parent ? parent.depth + 1 : 0,
      startSeq: this.#seq,
      start: this.time,
      pieces: 0,
      state: 'running',
      parent,
      children: []
    }
    this.#bars.push(bar)
    ;(parent?.children ?? this.#roots).push(bar)
    this.#byKey.set(`${kind} ${id}`, bar)
    this.#rows = undefined
    return bar
  }

  #close(bar: Bar, detail?: string, state: BarState = 'done'): void {
    bar.end = this.time
    bar.endSeq = this.#seq
    bar.state = state
    if (detail !== undefined) bar.detail = detail
    if (bar.kind === 'step') this.#openSteps = this.#openSteps.filter(step => step !== bar)
  }

  #mark(kind: Mark['kind'], label: string): void {
    this.marks.push({kind, seq: this.#seq, time: this.time, label})
  }

  /** What began after `keep_seq` is void; what had ended after it is open again. Retries are rare. */
  #retry(event: Of<'retry'>): void {
    this.#mark('retry', `Attempt ${event.attempt}: ${event.reason}`)
    for (const bar of this.#bars) {
      if (bar.state === 'void') continue
      if (bar.startSeq > event.keep_seq) {
        bar.end ??= this.time
        bar.endSeq ??= this.#seq
        bar.state = 'void'
        if (this.#byKey.get(`${bar.kind} ${bar.id}`) === bar) this.#byKey.delete(`${bar.kind} ${bar.id}`)
      } else if (bar.endSeq !== undefined && bar.endSeq > event.keep_seq) {
        delete bar.end
        delete bar.endSeq
        delete bar.detail
        bar.state = 'running'
      }
    }
    this.#openSteps = this.#bars.filter(bar => bar.kind === 'step' && bar.state === 'running')
  }

  #end(event: Of<'end'>): void {
    for (const bar of this.#bars) {
      if (bar.state === 'running') this.#close(bar, undefined, event.status === 'completed' ? 'done' : 'cut')
    }
  }
}

/** How long a bar is, in milliseconds: up to `now` (seconds since the start) while it runs. */
export function barMs(bar: Bar, now: number): number {
  return Math.max(0, (bar.end ?? Math.max(now, bar.start)) - bar.start) * 1000
}

/** Round steps for the ruler: at most about `wanted` of them from 0 to `seconds`. */
export function ticks(seconds: number, wanted = 8): number[] {
  if (!(seconds > 0)) return [0]
  const rough = seconds / wanted
  const power = 10 ** Math.floor(Math.log10(rough))
  const step = power * ([1, 2, 5, 10].find(factor => factor * power >= rough) ?? 10)
  const length = Math.floor(seconds / step + 1e-9) + 1
  return Array.from({length}, (_, index) => index * step)
}
