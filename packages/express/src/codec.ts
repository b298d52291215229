/** Records as bytes on the wire: what the transports have in common. */

/** An event with its place in its run's log: the JSON that was encoded once, at append. `at` in seconds since 1970. */
export interface LogRecord {
  readonly seq: number
  readonly at: number
  readonly data: string
}

export interface Codec {
  readonly mediaType: string
  /** What a response begins with. */
  readonly opening: string
  readonly heartbeat: string
  encode(records: readonly LogRecord[]): string
}
