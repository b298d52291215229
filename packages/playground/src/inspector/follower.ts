import {type Client, connect, type Run, type RunSnapshot, type RunView} from '@unspool/client'
import {RunLog} from './run-log.js'

/** Follows one run into a {@link RunLog}, and tells its listeners once per frame at most. */
export class Follower {
  readonly log = new RunLog()

  /** What the run's events do not tell of how it was called. Undefined until the server has said. */
  request: Pick<RunView, 'config' | 'answers'> | undefined

  #client: Client
  #run: Run
  #listeners = new Set<() => void>()
  #version = 0
  #frame: number | undefined

  constructor(url: string, headers: () => HeadersInit, runId: string) {
    // NDJSON, since its records carry the time of their commit.
    this.#client = connect({url, headers, transport: 'ndjson'})
    this.#run = this.#client.follow(runId)
    this.#run.subscribe(this.#changed)
    this.#run.finished.then(this.#changed, this.#changed)
    this.#read().then(this.#changed)
    void this.#ask(runId)
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Rises with every change that was told. */
  readonly version = (): number => this.#version

  snapshot(): RunSnapshot {
    return this.#run.getSnapshot()
  }

  /** Reads on, now, where the connection is gone. */
  reconnect(): void {
    this.#run.reconnect()
  }

  /** Stops following; the run goes on. */
  close(): void {
    this.#listeners.clear()
    if (this.#frame !== undefined) cancelAnimationFrame(this.#frame)
    this.#client.close()
  }

  async #read(): Promise<void> {
    try {
      for await (const record of this.#run) {
        this.log.add(record)
        this.#changed()
      }
    } catch {
      // The snapshot says what the problem is.
    }
  }

  async #ask(runId: string): Promise<void> {
    try {
      this.request = await this.#client.run(runId)
      this.#changed()
    } catch {
      // Following meets the same problem, and its snapshot says so.
    }
  }

  readonly #changed = (): void => {
    if (this.#listeners.size === 0) return
    this.#frame ??= requestAnimationFrame(() => {
      this.#frame = undefined
      this.#version++
      for (const listener of this.#listeners) listener()
    })
  }
}
