/** A streamed response: written no faster than it is read, and closed when nobody reads it. */

import type {ServerResponse} from 'node:http'

export class Outgoing {
  readonly #res: ServerResponse
  readonly #drainTimeout: number
  readonly #onClose: (() => void)[] = []
  #draining: Promise<void> | undefined
  #drained: (() => void) | undefined

  /** @param drainTimeout Milliseconds that the socket may take to drain before it is closed. */
  constructor(res: ServerResponse, drainTimeout: number) {
    this.#res = res
    this.#drainTimeout = drainTimeout
    res.on('drain', () => this.#drained?.())
    res.on('close', () => {
      this.#drained?.()
      for (const listener of this.#onClose) listener()
    })
    // A write to a socket that the client has closed; `close` follows.
    res.on('error', () => {})
  }

  /** The client is gone, or the response is done. */
  get closed(): boolean {
    return this.#res.destroyed || this.#res.closed || this.#res.writableEnded
  }

  onClose(listener: () => void): void {
    this.#onClose.push(listener)
  }

  /** Writes, and says when there is room for more: a promise, or nothing for "now". */
  write(chunk: string): Promise<void> | undefined {
    if (this.closed || chunk === '') return undefined
    if (!this.#res.write(chunk)) this.#draining ??= this.#untilDrained()
    return this.#draining
  }

  /** Whether a write waits for the client to read. */
  get waiting(): boolean {
    return this.#draining !== undefined
  }

  end(): void {
    if (!this.closed) this.#res.end()
  }

  #untilDrained(): Promise<void> {
    return new Promise(resolve => {
      const timer = setTimeout(() => this.#res.destroy(), this.#drainTimeout).unref()
      this.#drained = () => {
        clearTimeout(timer)
        this.#draining = this.#drained = undefined
        resolve()
      }
    })
  }
}

/** The headers of every stream; those that the app has set stay. */
export function openStream(res: ServerResponse, mediaType: string, headers: Record<string, string>): void {
  res.writeHead(200, {
    'Content-Type': mediaType,
    'Cache-Control': 'no-cache, no-transform',
    'X-Accel-Buffering': 'no',
    ...headers
  })
}
