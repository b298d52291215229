/** A conversation, without a framework: turns, each one run, that are sent, stopped, asked again and answered. */

import type {Chat, ChatMessage, ChatOptions, ChatSnapshot, ChatStatus, Turn, UserMessage} from './chat-types.js'
import {errorOf, UnspoolError} from './errors.js'
import {newId} from './ids.js'
import {askedIn} from './input.js'
import {isEnded, type Message, type Transcript} from './transcript.js'
import type {Answer, Run, RunSnapshot, RunView} from './types.js'

export type * from './chat-types.js'

/** Returns the chat on a thread. One that exists is loaded at once, and what still runs in it is followed. */
export function createChat(options: ChatOptions): Chat {
  return new ThreadChat(options)
}

/** A turn as it is kept: what the server has said of it, or the run that is being followed. */
interface Entry {
  runId: string
  input: unknown
  resumes: string | undefined
  run: Run | undefined
  settled: Transcript | undefined
  problem: UnspoolError | undefined
  /** Made from the run's snapshot, and kept until that changes. */
  turn: Turn | undefined
  seen: RunSnapshot | undefined
  leave: () => void
}

class ThreadChat implements Chat {
  #options: ChatOptions
  #threadId: string
  #entries: Entry[] = []
  #loading: AbortController | undefined
  #problem: UnspoolError | undefined
  #snapshot: ChatSnapshot | undefined
  readonly #listeners = new Set<() => void>()
  /** Messages by the ones they were made of, so that those that did not change stay the same objects. */
  readonly #messages = new WeakMap<Message, ChatMessage>()

  constructor(options: ChatOptions) {
    this.#options = options
    this.#threadId = options.threadId ?? newId()
    if (options.threadId !== undefined) this.reload()
  }

  // -- looking -------------------------------------------------------------------------------------------

  getSnapshot = (): ChatSnapshot => {
    this.#snapshot ??= this.#build()
    return this.#snapshot
  }

  subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  #changed = (): void => {
    this.#snapshot = undefined
    for (const listener of [...this.#listeners]) listener()
  }

  #build(): ChatSnapshot {
    const turns = this.#entries.map(entry => this.#turn(entry))
    const problem = this.#problem ?? turns.at(-1)?.problem
    return {
      threadId: this.#threadId,
      status: this.#status(turns),
      turns,
      messages: turns.flatMap(turn => turn.messages),
      ...(problem && {problem})
    }
  }

  #status(turns: readonly Turn[]): ChatStatus {
    if (this.#loading) return 'restoring'
    if (this.#problem) return 'failed'
    const running = turns.filter(turn => turn.run)
    if (running.some(turn => turn.messages.some(({role}) => role === 'assistant'))) return 'streaming'
    if (running.length) return 'submitted'
    const last = turns.at(-1)
    if (last?.problem) return 'failed'
    return last?.interrupts.length ? 'interrupted' : 'ready'
  }

  #turn(entry: Entry): Turn {
    const seen = entry.run?.getSnapshot()
    if (entry.turn && entry.seen === seen) return entry.turn
    entry.seen = seen
    const transcript = seen ?? entry.settled ?? emptyTranscript(entry)
    const messages = transcript.run_id === undefined ? askedIn(entry.runId, entry.input) : transcript.messages
    const answered = this.#entries.some(other => other.resumes === entry.runId && (other.run || isKnown(other)))
    const problem = entry.problem ?? seen?.problem
    entry.turn = {
      runId: entry.runId,
      input: entry.input,
      status: transcript.status,
      messages: this.#stable(entry, messages),
      transcript,
      interrupts: answered ? [] : transcript.interrupts,
      ...(problem && {problem}),
      ...(entry.run && seen && {run: entry.run, connection: seen.connection, timing: seen.timing})
    }
    return entry.turn
  }

  #stable({runId}: Entry, messages: readonly Message[]): ChatMessage[] {
    return messages.map(message => {
      let mine = this.#messages.get(message)
      if (!mine) {
        mine = {...message, runId}
        this.#messages.set(message, mine)
      }
      return mine
    })
  }

  // -- acting --------------------------------------------------------------------------------------------

  send = (message: string | UserMessage, options: {config?: Record<string, unknown>} = {}): Promise<Turn> => {
    return this.submit(this.#inputOf(message), options)
  }

  submit = async (input: unknown, {config = this.#options.config} = {}): Promise<Turn> => {
    return this.#start(input, {threadId: this.#threadId, ...(config && {config})})
  }

  regenerate = async (runId = this.#entries.at(-1)?.runId): Promise<Turn> => {
    const asked = this.#askedBy(runId)
    return this.#replace(asked, asked.input)
  }

  edit = async (runId: string, message: string | UserMessage): Promise<Turn> => {
    return this.#replace(this.#askedBy(runId), this.#inputOf(message))
  }

  answer = async (answer: Answer, runId = this.#entries.at(-1)?.runId): Promise<Turn> => {
    const asking = this.#entry(runId)
    const {config, client} = this.#options
    const run = client.resume(asking.runId, answer, config && {config})
    asking.turn = undefined // its questions are answered
    const turn = await this.#watch(this.#add(run, undefined, asking.runId), run)
    asking.turn = undefined // or not: the server may have refused the answer
    this.#changed()
    return turn
  }

  stop = async (runId?: string): Promise<void> => {
    const running = this.#entries.filter(entry => entry.run && (runId === undefined || entry.runId === runId))
    await Promise.all(running.map(entry => entry.run?.stop()))
  }

  configure = (options: Pick<ChatOptions, 'config' | 'toInput' | 'onError' | 'onFinish'>): void => {
    this.#options = {...this.#options, ...options}
  }

  #inputOf(message: string | UserMessage): unknown {
    const asked = typeof message === 'string' ? {text: message} : message
    return (this.#options.toInput ?? plainInput)(asked)
  }

  #entry(runId: string | undefined): Entry {
    const entry = this.#entries.find(known => known.runId === runId)
    if (!entry) throw new UnspoolError('not_found', 'There is no such turn in this thread.')
    return entry
  }

  /** The turn with the question that led to this one, through all the interrupts in between. */
  #askedBy(runId: string | undefined): Entry {
    let entry = this.#entry(runId)
    while (entry.resumes !== undefined) entry = this.#entry(entry.resumes)
    return entry
  }

  /** Takes the place of a turn and of what followed it. What still runs of that is stopped first. */
  async #replace(entry: Entry, input: unknown): Promise<Turn> {
    const from = this.#entries.indexOf(entry)
    const replaced = this.#entries.slice(from)
    await Promise.all(replaced.map(each => this.#end(each)))
    for (const each of replaced) each.leave()
    this.#entries = this.#entries.filter(each => !replaced.includes(each))
    const {config} = this.#options
    // A run that the server never had cannot be replaced.
    const known = replaced.find(isKnown)
    return this.#start(input, {
      threadId: this.#threadId,
      ...(config && {config}),
      ...(known && {replaces: known.runId})
    })
  }

  async #end({run}: Entry): Promise<void> {
    if (!run) return
    await run.stop()
    await run.finished.catch(() => {})
  }

  #start(input: unknown, options: {threadId: string; config?: Record<string, unknown>; replaces?: string}) {
    const run = this.#options.client.start(input, options)
    return this.#watch(this.#add(run, input, undefined), run)
  }

  #add(run: Run, input: unknown, resumes: string | undefined): Entry {
    const entry: Entry = {
      runId: run.id,
      input,
      resumes,
      run,
      settled: undefined,
      problem: undefined,
      turn: undefined,
      seen: undefined,
      leave: run.subscribe(this.#changed)
    }
    this.#entries = [...this.#entries, entry]
    this.#changed()
    return entry
  }

  /** Waits for the end of a turn, and lets go of its run then: the events are of no more use. */
  async #watch(entry: Entry, run: Run): Promise<Turn> {
    await run.finished.catch(() => {})
    const {connection, timing, problem, ...transcript} = run.getSnapshot()
    entry.leave()
    const turn = this.#turn(entry)
    entry.run = undefined
    entry.settled = transcript
    entry.problem = problem
    entry.seen = undefined
    const {run: _, ...settled} = turn
    entry.turn = settled
    const detached = problem?.code === 'cancelled' && !isEnded(transcript.status)
    if (detached || !this.#entries.includes(entry)) return settled
    this.#changed()
    if (problem) this.#options.onError?.(problem)
    this.#options.onFinish?.(settled)
    return settled
  }

  // -- threads -------------------------------------------------------------------------------------------

  open = (threadId?: string): void => {
    this.close()
    this.#threadId = threadId ?? newId()
    this.#entries = []
    this.#problem = undefined
    if (threadId === undefined) this.#changed()
    else this.reload()
  }

  reload = (): void => {
    this.close()
    const loading = new AbortController()
    this.#loading = loading
    this.#problem = undefined
    this.#changed()
    void this.#restore(this.#threadId, loading)
  }

  close = (): void => {
    this.#loading?.abort()
    this.#loading = undefined
    for (const {run, leave} of this.#entries) {
      leave()
      run?.detach()
    }
  }

  async #restore(threadId: string, loading: AbortController): Promise<void> {
    const before = new Set(this.#entries)
    let runs: RunView[] = []
    let problem: UnspoolError | undefined
    try {
      runs = (await this.#options.client.thread(threadId)).runs
    } catch (error) {
      // A thread begins to exist with its first run.
      if ((error as UnspoolError).code !== 'not_found') problem = error as UnspoolError
    }
    if (loading.signal.aborted) return
    this.#loading = undefined
    this.#problem = problem
    let restored: Entry[] = []
    if (!problem) {
      const meanwhile = this.#entries.filter(entry => !before.has(entry))
      const known = new Set(meanwhile.map(({runId}) => runId))
      restored = runs.filter(({id, replaced}) => !replaced && !known.has(id)).map(view => this.#restored(view))
      this.#entries = [...restored, ...meanwhile]
    }
    this.#changed()
    if (problem) this.#options.onError?.(problem)
    for (const entry of restored) if (entry.run) void this.#watch(entry, entry.run)
  }

  #restored({id, status, transcript}: RunView): Entry {
    const run = isEnded(status) ? undefined : this.#options.client.follow(id)
    return {
      runId: id,
      input: transcript?.input,
      resumes: transcript?.resumes,
      run,
      settled: transcript,
      problem: status === 'failed' && transcript?.error ? errorOf(transcript.error) : undefined,
      turn: undefined,
      seen: undefined,
      leave: run?.subscribe(this.#changed) ?? (() => {})
    }
  }
}

/** Whether the server has ever had it. */
function isKnown({settled, seen}: Entry): boolean {
  return (settled ?? seen)?.run_id !== undefined
}

function emptyTranscript({input}: Entry): Transcript {
  return {last_seq: 0, status: 'queued', attempt: 1, input, messages: [], steps: [], data: [], interrupts: []}
}

/** Text where there is only text; else a message of content blocks, as LangChain writes them. */
function plainInput({text, files = []}: UserMessage): unknown {
  if (!files.length) return text
  const blocks = files.map(({media_type, data, url, name}) => {
    const [kind = ''] = media_type.split('/')
    return {
      type: ['image', 'audio', 'video'].includes(kind) ? kind : 'file',
      mime_type: media_type,
      ...(data !== undefined && {base64: data}),
      ...(url !== undefined && {url}),
      ...(name !== undefined && {name})
    }
  })
  return {messages: [{role: 'user', content: [...(text ? [{type: 'text', text}] : []), ...blocks]}]}
}
