import type {FilePart, Message} from '@unspool/client'
import {textOf} from '@unspool/client'
import type {Attachment} from '@unspool/client/chat'
import {type KeyboardEvent, useLayoutEffect, useRef, useState} from 'react'
import {CopyButton} from '../ui/CopyButton.js'
import {IconButton} from '../ui/IconButton.js'
import {FileView} from './FileView.js'
import {fitHeight} from './fitHeight.js'

interface UserMessageProps {
  message: Message
  editing: boolean
  /** Left out where it cannot be edited. */
  onEdit?: (() => void) | undefined
  onCancel(): void
  onSave(text: string, files: Attachment[]): void
}

export function UserMessage({message, editing, onEdit, onCancel, onSave}: UserMessageProps) {
  const files = message.parts.filter((part): part is FilePart => part.type === 'file')
  const text = textOf(message)
  return (
    <div className="message user">
      {files.length > 0 && (
        <div className="files">
          {files.map((file, index) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: what was said does not change.
            <FileView key={index} file={file} />
          ))}
        </div>
      )}
      {editing ? (
        <Editor
          text={text}
          onCancel={onCancel}
          onSave={next =>
            onSave(
              next,
              files.map(({type: _, ...file}) => file)
            )
          }
        />
      ) : (
        <div className="said">
          <div className="actions">
            <CopyButton label="Copy message" text={() => text} />
            {onEdit && <IconButton icon="edit" label="Edit message" tip="above" onClick={onEdit} />}
          </div>
          {text && <div className="bubble plain">{text}</div>}
        </div>
      )}
    </div>
  )
}

function Editor({text, onCancel, onSave}: {text: string; onCancel(): void; onSave(text: string): void}) {
  const [draft, setDraft] = useState(text)
  const area = useRef<HTMLTextAreaElement>(null)
  useLayoutEffect(() => {
    const element = area.current
    element?.focus()
    element?.setSelectionRange(element.value.length, element.value.length)
  }, [])
  // biome-ignore lint/correctness/useExhaustiveDependencies: the text is what makes it grow.
  useLayoutEffect(() => fitHeight(area.current), [draft])
  const save = () => draft.trim() && onSave(draft)
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.nativeEvent.isComposing) return
    if (event.key === 'Escape') {
      event.preventDefault()
      onCancel()
    } else if (event.key === 'Enter' && !event.shiftKey) {
      event.preventDefault()
      save()
    }
  }
  return (
    <div className="editor">
      <textarea
        ref={area}
        aria-label="Edit message"
        value={draft}
        onChange={event => setDraft(event.target.value)}
        onKeyDown={onKeyDown}
      />
      <p className="hint">The answer and all that followed it are replaced.</p>
      <div className="row end">
        <button type="button" className="button" onClick={onCancel}>
          Cancel
        </button>
        <button type="button" className="button primary" disabled={!draft.trim()} onClick={save}>
          Send again
        </button>
      </div>
    </div>
  )
}
