/** Files that a message takes along, within what the agent says it accepts. */

import type {Attachment} from '@unspool/client/chat'
import {bytes} from '../ui/time.js'

export interface Limits {
  /** Media types: `image/png`, `image/*`. Empty: none. */
  readonly accepts: readonly string[]
  /** Of a request's body, all files together. */
  readonly maxBodyBytes: number
}

export interface Added {
  readonly files: Attachment[]
  /** Why some were left out, for the reader. */
  readonly refused: string[]
}

/** What is in a body besides files: the text, and the JSON around it. */
const REST_BYTES = 16 * 1024

export async function addFiles(held: readonly Attachment[], chosen: readonly File[], limits: Limits): Promise<Added> {
  const files = [...held]
  const refused: string[] = []
  for (const file of chosen) {
    const used = files.reduce((sum, {data}) => sum + (data?.length ?? 0), REST_BYTES)
    // Base64 makes four bytes of three.
    const added = Math.ceil(file.size / 3) * 4
    if (!isAccepted(file.type, limits.accepts)) {
      refused.push(`${file.name} was not attached: this agent does not take ${file.type || 'files of that type'}.`)
    } else if (used + added > limits.maxBodyBytes) {
      const left = Math.max(0, Math.floor(((limits.maxBodyBytes - used) / 4) * 3))
      refused.push(`${file.name} was not attached: it has ${bytes(file.size)}, and there is room for ${bytes(left)}.`)
    } else {
      files.push({media_type: file.type, name: file.name, data: await base64(file)})
    }
  }
  return {files, refused}
}

export function isAccepted(mediaType: string, accepts: readonly string[]): boolean {
  return accepts.some(
    one => one === '*/*' || one === mediaType || (one.endsWith('/*') && mediaType.startsWith(one.slice(0, -1)))
  )
}

function base64(file: File): Promise<string> {
  return new Promise((resolve, reject) => {
    const reader = new FileReader()
    reader.onload = () => resolve(String(reader.result).split(',', 2)[1] ?? '')
    reader.onerror = () => reject(reader.error)
    reader.readAsDataURL(file)
  })
}
