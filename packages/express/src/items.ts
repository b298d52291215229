/** What a source yields, as events: text gets a message to belong to, and what was opened is closed. */

import type {StepStartEvent} from '@unspool/client'
import {InvalidInput} from './errors.js'
import type {SourceEvent, SourceItem} from './events.js'

/**
 * The items of one run.
 *
 * Text is of the current message, which begins with the first of it. A token of a message that was never started
 * starts it. What is still open at a normal end is closed then.
 */
export class Items {
  readonly #prefix: string
  readonly #emit: (event: SourceEvent) => void
  #count = 0
  #current: string | undefined
  #messages = new Set<string>()
  #tools = new Set<string>()
  #steps = new Map<string, StepStartEvent>()

  /** Message ids are made from the run's id; its end is enough, and is on the wire with every token. */
  constructor(runId: string, emit: (event: SourceEvent) => void) {
    this.#prefix = runId.slice(-12)
    this.#emit = emit
  }

  /** @throws {InvalidInput} It means nothing, or something that only the run itself may say. */
  take(item: SourceItem): void {
    if (typeof item === 'string') this.#text(item)
    else if (typeof item === 'object' && item !== null) this.#event(item)
    else throw new InvalidInput(`a source yielded a ${typeof item}; it may yield text and events, and nothing else`)
  }

  /** Closes what is open, the innermost first. */
  close(): void {
    for (const call_id of [...this.#tools].reverse()) this.#emit({type: 'tool_end', call_id})
    for (const message_id of [...this.#messages].reverse()) this.#emit({type: 'message_end', message_id})
    for (const step of [...this.#steps.values()].reverse()) this.#emit({...step, type: 'step_end'})
  }

  #text(text: string): void {
    if (text === '') return
    if (this.#current === undefined) {
      this.#count += 1
      this.#start(`${this.#prefix}-${this.#count}`)
    }
    this.#emit({type: 'token', message_id: this.#current as string, text})
  }

  #start(message_id: string): void {
    this.#messages.add(message_id)
    this.#current = message_id
    this.#emit({type: 'message_start', message_id})
  }

  #event(event: SourceEvent): void {
    const type: string = event.type
    if (type === 'start' || type === 'retry' || type === 'end') {
      throw new InvalidInput(`a source must not yield '${type}' events: they belong to the run`)
    }
    if (event.type === 'token' || event.type === 'reasoning') {
      if (event.text === '') return
      if (typeof event.message_id === 'string' && !this.#messages.has(event.message_id)) {
        this.#messages.add(event.message_id)
        this.#emit({type: 'message_start', message_id: event.message_id})
      }
    }
    this.#emit(event)
    this.#track(event)
  }

  #track(event: SourceEvent): void {
    switch (event.type) {
      case 'message_start':
        this.#messages.add(event.message_id)
        this.#current = event.message_id
        break
      case 'message_end':
        this.#messages.delete(event.message_id)
        if (this.#current === event.message_id) this.#current = undefined
        break
      case 'tool_start':
      case 'tool_call':
        this.#tools.add(event.call_id)
        break
      case 'tool_end':
        this.#tools.delete(event.call_id)
        break
      case 'step_start':
        this.#steps.set(event.step_id, event)
        break
      case 'step_end':
        this.#steps.delete(event.step_id)
        break
    }
  }
}
