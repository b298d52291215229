import type {Attachment} from '@unspool/client/chat'
import {useRef, useState} from 'react'
import {addFiles, type Limits} from './attachments.js'

/** The files that the next message takes along. `onRefused` hears why some were left out; with none, all went well. */
export function useAttachments(limits: Limits, onRefused: (refused: string[]) => void) {
  const [files, setFiles] = useState<readonly Attachment[]>([])
  const held = useRef(files)
  // One after the other: each counts what the ones before it have left.
  const reading = useRef<Promise<void>>(Promise.resolve())
  const hold = (next: readonly Attachment[]) => {
    held.current = next
    setFiles(next)
  }
  const read = async (chosen: readonly File[]) => {
    const added = await addFiles(held.current, chosen, limits)
    hold(added.files)
    onRefused(added.refused)
  }
  return {
    files,
    /** Rejects where a file cannot be read. */
    add(chosen: readonly File[]): Promise<void> {
      const added = reading.current.then(() => read(chosen))
      reading.current = added.catch(() => undefined)
      return added
    },
    remove: (index: number) => hold(held.current.filter((_, at) => at !== index)),
    clear: () => hold([])
  }
}
