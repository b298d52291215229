/**
 * Reads server-sent events from bytes that may be cut anywhere: in a character, in a line end, in an event.
 * An event that the end of the stream cuts off is not delivered; whoever reads resumes from the last id.
 */
export class SseReader {
  #decoder = new TextDecoder('utf-8')
  #rest = ''
  #skipLf = false
  /** @type {string[]} */
  #data = []
  #id = ''

  /**
   * @param {Uint8Array} chunk
   * @returns {{id: string, data: string}[]} the events that the chunk completes
   */
  feed(chunk) {
    let text = this.#decoder.decode(chunk, {stream: true})
    if (this.#skipLf && text) {
      text = text.startsWith('\n') ? text.slice(1) : text
      this.#skipLf = false
    }
    const buffer = this.#rest + text
    // A CR at the very end has ended a line; an LF behind it, in the next chunk, belongs to it.
    this.#skipLf = buffer.endsWith('\r')
    const lines = buffer.split(/\r\n|\r|\n/)
    this.#rest = lines.pop() ?? ''
    /** @type {{id: string, data: string}[]} */
    const events = []
    for (const line of lines) {
      if (line) this.#field(line)
      else if (this.#data.length) {
        events.push({id: this.#id, data: this.#data.join('\n')})
        this.#data = []
      }
    }
    return events
  }

  /** @param {string} line */
  #field(line) {
    const colon = line.indexOf(':')
    if (colon === 0) return
    const name = colon < 0 ? line : line.slice(0, colon)
    const value = colon < 0 ? '' : line.slice(colon + (line[colon + 1] === ' ' ? 2 : 1))
    if (name === 'data') this.#data.push(value)
    else if (name === 'id' && !value.includes('\0')) this.#id = value
  }
}
