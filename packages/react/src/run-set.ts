import {type Client, isEnded, type Run, type RunSnapshot} from '@unspool/client'

export interface Followed {
  readonly run: Run
  readonly snapshot: RunSnapshot
}

/** The runs that a component shows, as one store: oldest first. */
export class RunSet {
  readonly client: Client
  readonly #listeners = new Set<() => void>()
  readonly #unsubscribe = new Map<Run, () => void>()
  #followed: readonly Followed[] = []

  constructor(client: Client) {
    this.client = client
  }

  getSnapshot = (): readonly Followed[] => this.#followed

  subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  find(runId: string): Run | undefined {
    return this.#followed.find(({run}) => run.id === runId)?.run
  }

  add(run: Run): Run {
    this.#watch(run)
    this.#set([...this.#followed, {run, snapshot: run.getSnapshot()}])
    return run
  }

  /** Forgets a run. It is still followed. */
  remove(run: Run): void {
    this.#unsubscribe.get(run)?.()
    this.#unsubscribe.delete(run)
    this.#set(this.#followed.filter(each => each.run !== run))
  }

  /** Detaches from all, and keeps what they have produced. */
  leave(): void {
    for (const {run} of this.#followed) run.detach()
  }

  /** Follows again what was left before its end. */
  back(): void {
    for (const {run, snapshot} of this.#followed) {
      if (isEnded(snapshot.status)) continue
      this.remove(run)
      this.add(this.client.follow(run.id))
    }
  }

  #watch(run: Run): void {
    const changed = () => {
      const snapshot = run.getSnapshot()
      this.#set(this.#followed.map(each => (each.run === run ? {run, snapshot} : each)))
    }
    this.#unsubscribe.set(run, run.subscribe(changed))
  }

  #set(followed: readonly Followed[]): void {
    this.#followed = followed
    for (const listener of [...this.#listeners]) listener()
  }
}

export const NONE: readonly Followed[] = []
