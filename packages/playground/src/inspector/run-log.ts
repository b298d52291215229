import type {EndEvent, StartEvent, UnspoolRecord} from '@unspool/client'
import {Latency} from './latency.js'
import {Timeline} from './timeline.js'

/** What the inspector knows of one run. Grows by {@link add}; each record costs the same. */
export class RunLog {
  /** All of them, also those that a retry voided. */
  readonly records: UnspoolRecord[] = []
  /** By record: seconds since the start of the run. Never falls, also where the server's clock was set back. */
  readonly times: number[] = []
  /** How many records there are of each type, in the order in which the types first came. */
  readonly counts = new Map<string, number>()
  readonly timeline = new Timeline()
  readonly latency = new Latency()
  start: StartEvent | undefined
  end: EndEvent | undefined

  /** Takes the next record. One that came before is skipped. */
  add(record: UnspoolRecord): void {
    const last = this.records.at(-1)
    if (last && record.seq <= last.seq) return
    const {event} = record
    this.times.push(Math.max(this.times.at(-1) ?? 0, record.at - this.startedAt(record)))
    this.records.push(record)
    this.counts.set(event.type, (this.counts.get(event.type) ?? 0) + 1)
    this.timeline.add(record)
    this.latency.add(record)
    if (event.type === 'start') this.start = event
    if (event.type === 'end') this.end = event
  }

  /** Of the newest record, in seconds since the start. */
  get seconds(): number {
    return this.times.at(-1) ?? 0
  }

  private startedAt(record: UnspoolRecord): number {
    return this.records[0]?.at ?? record.at
  }
}

/** One record on a line, as the server sends it. */
export function ndjsonOf({seq, at, event}: UnspoolRecord): string {
  return `${JSON.stringify({seq, at, event})}\n`
}
