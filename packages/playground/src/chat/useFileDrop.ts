import {type DragEvent, useState} from 'react'

/** For the element that files may be dropped on. `accepting`: whether any are taken at all. */
export function useFileDrop(accepting: boolean, onFiles: (files: readonly File[]) => void) {
  const [dragging, setDragging] = useState(false)
  const takes = ({dataTransfer}: DragEvent) => accepting && dataTransfer.types.includes('Files')
  return {
    'data-dragging': dragging,
    onDragOver(event: DragEvent) {
      if (!takes(event)) return
      event.preventDefault()
      setDragging(true)
    },
    onDragLeave(event: DragEvent) {
      if (!event.currentTarget.contains(event.relatedTarget as Node | null)) setDragging(false)
    },
    onDrop(event: DragEvent) {
      if (!takes(event)) return
      event.preventDefault()
      setDragging(false)
      onFiles([...event.dataTransfer.files])
    }
  }
}
