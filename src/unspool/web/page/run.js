/**
 * What the events of one run fold into. The rules are those of the transcript in spec/PROTOCOL.md, as far as this
 * page shows them.
 *
 * @typedef {{type: string, [field: string]: any}} Event
 * @typedef {{kind: 'text' | 'reasoning', text: string}} TextPart
 * @typedef {{kind: 'tool', id: string, name: string, args: string, result?: unknown, error?: string, done: boolean}} ToolPart
 * @typedef {{id: string, parts: (TextPart | ToolPart)[], finish?: string, complete: boolean}} Message
 */
export class Run {
  /** @param {string} id */
  constructor(id) {
    this.id = id
    this.seq = 0
    /** @type {{seq: number, event: Event}[]} */
    this.events = []
  }

  /** @type {Map<string, Message>} */
  messages = new Map()
  /** @type {Map<string, ToolPart>} */
  tools = new Map()
  /** @type {{id: string, value: unknown}[]} */
  interrupts = []
  /** @type {Event | undefined} */
  error = undefined
  status = 'running'
  tokens = 0
  speaker = ''
  /** @type {unknown} */
  input = undefined
  /** @type {number | undefined} */
  rate = undefined

  #clear() {
    const {messages, tools, interrupts, error, status, tokens, speaker, input, rate} = new Run(this.id)
    Object.assign(this, {messages, tools, interrupts, error, status, tokens, speaker, input, rate})
  }

  /**
   * @param {number} seq
   * @param {Event} event
   */
  fold(seq, event) {
    if (seq <= this.seq) return
    this.seq = seq
    if (event.type === 'retry') {
      this.events = this.events.filter(kept => kept.seq <= event.keep_seq)
      this.#clear()
      for (const kept of this.events) this.#apply(kept.event)
      return
    }
    this.events.push({seq, event})
    this.#apply(event)
  }

  /** @param {Event} event */
  #apply(event) {
    switch (event.type) {
      case 'start':
        this.input = event.input
        break
      case 'message_start':
        this.#message(event.message_id)
        break
      case 'token':
      case 'reasoning':
        this.#text(event)
        break
      case 'message_end': {
        const message = this.#message(event.message_id)
        message.complete = true
        message.finish = event.finish_reason
        break
      }
      case 'tool_start':
      case 'tool_args':
      case 'tool_call':
      case 'tool_end':
        this.#tool(event)
        break
      case 'interrupt':
        this.interrupts.push({id: event.interrupt_id, value: event.value})
        break
      case 'error':
        this.error = event
        break
      case 'end':
        this.status = event.status
        this.rate = event.metrics?.tokens_per_second
        break
    }
  }

  /** @param {string} id */
  #message(id) {
    let message = this.messages.get(id)
    if (!message) {
      message = {id, parts: [], complete: false}
      this.messages.set(id, message)
    }
    this.speaker = id
    return message
  }

  /** @param {Event} event */
  #text(event) {
    const kind = event.type === 'token' ? 'text' : 'reasoning'
    const {parts} = this.#message(event.message_id)
    const last = parts.at(-1)
    if (last?.kind === kind) last.text += event.text
    else parts.push({kind, text: event.text})
    this.tokens += 1
  }

  /** @param {Event} event */
  #tool(event) {
    const id = event.call_id
    let tool = this.tools.get(id)
    if (!tool) {
      tool = {kind: 'tool', id, name: event.name ?? '', args: '', done: false}
      this.tools.set(id, tool)
      this.#message(event.message_id ?? (this.speaker || `${id}-message`)).parts.push(tool)
    }
    if (event.type === 'tool_args') tool.args += event.text
    else if (event.type === 'tool_call') tool.args = JSON.stringify(event.args, null, 1)
    else if (event.type === 'tool_end') Object.assign(tool, {done: true, result: event.result, error: event.error})
  }

  get ended() {
    return this.status !== 'running'
  }
}
