/** The user's side of a run, as far as its input shows it: `spec/PROTOCOL.md`, TRN-4. */

import type {FilePart, Message, Part} from './transcript.js'

type Fields = Record<string, unknown>

/** The messages in a run's input: a text, or `messages` of texts and content blocks. */
export function askedIn(runId: string, input: unknown): Message[] {
  if (typeof input === 'string') return [asked(runId, 0, 'user', [text(input)])]
  const messages = isFields(input) ? input.messages : undefined
  if (!Array.isArray(messages)) return []
  return messages.flatMap((item, index) => {
    if (!isFields(item)) return []
    const role = typeof item.role === 'string' && item.role ? item.role : ROLES[String(item.type)]
    const parts = partsOf(item.content)
    return role && parts?.length ? [asked(runId, index, ROLES[role] ?? role, parts)] : []
  })
}

const ROLES: Record<string, string> = {human: 'user', ai: 'assistant', system: 'system', tool: 'tool'}

function asked(runId: string, index: number, role: string, parts: Part[]): Message {
  return {id: `${runId}-input-${index}`, role, parts, complete: true}
}

function partsOf(content: unknown): Part[] | undefined {
  if (typeof content === 'string') return [text(content)]
  return Array.isArray(content) ? content.flatMap(block => (isFields(block) ? partOf(block) : [])) : undefined
}

function partOf(block: Fields): Part[] {
  switch (block.type) {
    case 'text':
      return typeof block.text === 'string' ? [text(block.text)] : []
    case 'image':
    case 'file':
    case 'audio':
    case 'video':
      return file(block)
    case 'image_url': {
      const url = isFields(block.image_url) ? block.image_url.url : undefined
      if (typeof url !== 'string') return []
      return [{type: 'file', media_type: /^data:([^;,]+)/.exec(url)?.[1] ?? 'image/*', url}]
    }
    default:
      return []
  }
}

function file(block: Fields): FilePart[] {
  const {mime_type: type, base64, url, extras} = block
  const name = block.name ?? (isFields(extras) ? extras.name : undefined)
  if (typeof base64 !== 'string' && typeof url !== 'string') return []
  return [
    {
      type: 'file',
      media_type:
        typeof type === 'string' ? type : block.type === 'file' ? 'application/octet-stream' : `${block.type}/*`,
      ...(typeof base64 === 'string' && {data: base64}),
      ...(typeof url === 'string' && {url}),
      ...(typeof name === 'string' && {name})
    }
  ]
}

function text(value: string): Part {
  return {type: 'text', kind: 'text', text: value}
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null
}
