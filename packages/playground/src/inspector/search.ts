import type {UnspoolRecord} from '@unspool/client'

/**
 * The rows of the event list: which records are shown, and which of those match.
 *
 * Grows with the run: a record is looked at once, unless the filter or the query changes.
 */
export class EventRows {
  /** Indexes into the records, of those that are shown. */
  rows: number[] = []
  /** Indexes into {@link rows}, of those that match the query. Empty without a query. */
  matches: number[] = []

  #records: readonly UnspoolRecord[]
  #types: ReadonlySet<string> = new Set()
  #query = ''
  #texts: string[] = []
  #seen = 0

  constructor(records: readonly UnspoolRecord[]) {
    this.#records = records
  }

  get query(): string {
    return this.#query
  }

  /** Takes in what was added to the records. */
  update(): void {
    for (; this.#seen < this.#records.length; this.#seen++) {
      const record = this.#records[this.#seen]
      if (!record || (this.#types.size > 0 && !this.#types.has(record.event.type))) continue
      if (this.#query && this.#textOf(this.#seen, record).includes(this.#query)) this.matches.push(this.rows.length)
      this.rows.push(this.#seen)
    }
  }

  /** Shows these types only. None: all. */
  filter(types: ReadonlySet<string>): void {
    this.#types = types
    this.#again()
  }

  /** Marks the records whose JSON has this text; capitals do not matter. */
  search(query: string): void {
    this.#query = query.trim().toLowerCase()
    this.#again()
  }

  /** The place in {@link matches} of the next match after (`1`) or before (`-1`) a row, around the ends; -1 if there is none. */
  step(row: number, direction: 1 | -1): number {
    const {matches} = this
    if (matches.length === 0) return -1
    const next = matches.findIndex(match => match > row)
    if (direction === 1) return next === -1 ? 0 : next
    const later = matches.findIndex(match => match >= row)
    return ((later === -1 ? matches.length : later) - 1 + matches.length) % matches.length
  }

  #again(): void {
    this.rows = []
    this.matches = []
    this.#seen = 0
    this.update()
  }

  #textOf(index: number, record: UnspoolRecord): string {
    this.#texts[index] ??= `${record.seq} ${JSON.stringify(record.event).toLowerCase()}`
    return this.#texts[index]
  }
}
