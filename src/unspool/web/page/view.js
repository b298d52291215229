/**
 * One run on the page. Renders what changed, as text: nothing that a model says becomes HTML.
 */
export class RunView {
  /**
   * @param {import('./run.js').Run} run
   * @param {{answer: (run: import('./run.js').Run, value: string) => void, again: (run: import('./run.js').Run) => void}} actions
   */
  constructor(run, actions) {
    this.run = run
    this.actions = actions
    this.element = element('section', 'run')
    /** @type {WeakMap<object, {node: Element, text: Text, length: number}>} */
    this.rendered = new WeakMap()
    /** @type {Map<string, HTMLElement>} */
    this.messages = new Map()
    this.attempt = run.messages
    this.asked = false
    this.closed = false
  }

  render() {
    const {run} = this
    if (this.attempt !== run.messages) {
      // A retry made what was shown void.
      this.attempt = run.messages
      this.messages.clear()
      this.asked = this.closed = false
      this.element.replaceChildren()
    }
    if (!this.asked && run.input !== undefined) {
      this.asked = true
      const asked = textOf(run.input)
      if (asked) this.element.append(message('user', 'You said', element('div', 'text', asked)))
    }
    for (const said of run.messages.values()) this.#message(said)
    if (run.ended && !this.closed) {
      this.closed = true
      this.#end()
    }
  }

  /** @param {import('./run.js').Message} said */
  #message(said) {
    let node = this.messages.get(said.id)
    if (!node) {
      node = message('assistant', 'Answer')
      this.messages.set(said.id, node)
      this.element.append(node)
    }
    for (const part of said.parts) {
      if (part.kind === 'tool') this.#tool(node, part)
      else this.#text(node, part)
    }
    if (said.finish === 'length' && !node.querySelector('.finish')) {
      node.append(element('p', 'quiet finish', 'It stopped at its length limit.'))
    }
  }

  /** @param {HTMLElement} node @param {import('./run.js').TextPart} part */
  #text(node, part) {
    let shown = this.rendered.get(part)
    if (!shown) {
      const text = document.createTextNode('')
      const body = element('div', 'text')
      body.append(text)
      if (part.kind === 'reasoning') {
        const details = element('details', 'card quiet')
        details.append(element('summary', '', 'Thinking'), body)
        node.append(details)
      } else {
        node.append(body)
      }
      shown = {node: body, text, length: 0}
      this.rendered.set(part, shown)
    }
    if (part.text.length > shown.length) {
      shown.text.appendData(part.text.slice(shown.length))
      shown.length = part.text.length
    }
  }

  /** @param {HTMLElement} node @param {import('./run.js').ToolPart} part */
  #tool(node, part) {
    let shown = this.rendered.get(part)
    if (!shown) {
      const card = element('div', 'card tool')
      const text = document.createTextNode('')
      const args = element('pre', 'args')
      args.append(text)
      card.append(element('strong', '', `Tool: ${part.name}`), args)
      node.append(card)
      shown = {node: card, text, length: 0}
      this.rendered.set(part, shown)
    }
    if (shown.text.data !== part.args) shown.text.data = part.args
    if (part.done && !shown.node.querySelector('.result')) {
      const result =
        part.error ?? (typeof part.result === 'string' ? part.result : JSON.stringify(part.result, null, 1))
      shown.node.append(element('pre', 'result', `→ ${result ?? 'done'}`))
      shown.node.classList.toggle('bad', part.error !== undefined)
    }
  }

  #end() {
    const {run} = this
    if (run.status === 'cancelled') this.element.append(element('p', 'quiet end', 'You stopped this answer.'))
    if (run.status === 'failed') this.#failed()
    if (run.status === 'interrupted') this.#interrupted()
    if (run.status === 'completed' && run.rate) {
      this.element.append(element('p', 'quiet end', `${run.tokens} tokens, ${run.rate} per second`))
    }
  }

  #failed() {
    const card = element('div', 'card bad')
    card.setAttribute('role', 'alert')
    const {error} = this.run
    card.append(element('strong', '', String(error?.message ?? 'Something went wrong.')))
    const hint = error?.error_id ? `Quote ${error.error_id} to those who run this server.` : ADVICE[error?.code]
    if (hint) card.append(element('p', 'quiet', hint))
    const again = /** @type {HTMLButtonElement} */ (element('button', '', 'Ask again'))
    again.type = 'button'
    again.addEventListener('click', () => {
      again.disabled = true
      this.actions.again(this.run)
    })
    card.append(again)
    this.element.append(card)
  }

  #interrupted() {
    const form = document.createElement('form')
    form.className = 'card'
    const label = element('label', '')
    label.append(element('strong', '', 'It waits for your answer: '))
    for (const {value} of this.run.interrupts) {
      label.append(element('pre', '', typeof value === 'string' ? value : JSON.stringify(value, null, 1)))
    }
    const input = document.createElement('textarea')
    input.rows = 1
    label.append(input)
    const button = /** @type {HTMLButtonElement} */ (element('button', '', 'Answer'))
    button.type = 'submit'
    form.append(label, button)
    form.addEventListener('submit', event => {
      event.preventDefault()
      button.disabled = true
      this.actions.answer(this.run, input.value)
    })
    this.element.append(form)
  }
}

/** What to do, by error code. @type {Record<string, string>} */
const ADVICE = {
  provider: 'The model provider failed. Asking again may help.',
  rate_limit: 'Too many requests just now. Wait a little, then ask again.',
  timeout: 'It took too long. Ask again, or ask for less.',
  validation: 'Change the question, or begin a new chat.',
  lost: 'The server stopped in mid-answer. Ask again.',
  overloaded: 'The server is busy. Wait a little, then ask again.'
}

/**
 * @param {string} name
 * @param {string} className
 * @param {string} [text]
 */
function element(name, className, text) {
  const node = document.createElement(name)
  if (className) node.className = className
  if (text !== undefined) node.textContent = text
  return node
}

/**
 * @param {string} role
 * @param {string} label
 * @param {...Node} children
 */
function message(role, label, ...children) {
  const node = element('article', `message ${role}`)
  node.setAttribute('aria-label', label)
  node.append(...children)
  return node
}

/** The user's words in a run's input. @param {any} input */
export function textOf(input) {
  if (typeof input === 'string') return input
  const last = input?.messages?.at?.(-1)
  return typeof last?.content === 'string' ? last.content : ''
}
