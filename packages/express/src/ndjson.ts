/** Records as lines: `{"seq":…,"at":…,"event":{…}}`. An empty line is a heartbeat. */

import type {Codec} from './codec.js'

export const ndjson: Codec = {
  mediaType: 'application/x-ndjson',
  opening: '',
  heartbeat: '\n',
  encode: records => {
    let text = ''
    for (const {seq, at, data} of records) text += `{"seq":${seq},"at":${at.toFixed(3)},"event":${data}}\n`
    return text
  }
}

/** Whether an `Accept` header asks for lines rather than for server-sent events. */
export function wantsLines(accept: string | undefined): boolean {
  const lines = accept?.indexOf('application/x-ndjson') ?? -1
  const events = accept?.indexOf('text/event-stream') ?? -1
  return lines >= 0 && (events < 0 || lines < events)
}
