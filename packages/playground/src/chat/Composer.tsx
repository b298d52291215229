import type {Attachment, UserMessage} from '@unspool/client/chat'
import {type ClipboardEvent, type KeyboardEvent, type RefObject, useLayoutEffect, useRef} from 'react'
import {Icon} from '../ui/Icon.js'
import {IconButton} from '../ui/IconButton.js'
import {FileView} from './FileView.js'
import {fitHeight} from './fitHeight.js'

export interface ComposerProps {
  text: string
  files: readonly Attachment[]
  /** Media types that may be attached. Empty: there is no button for it. */
  accepts: readonly string[]
  running: boolean
  /** Whether nothing can be sent yet: the conversation is being loaded. */
  busy: boolean
  /** Whose answers they are. */
  name: string
  area: RefObject<HTMLTextAreaElement | null>
  onText(text: string): void
  onFiles(files: readonly File[]): void
  onRemoveFile(index: number): void
  onSend(message: UserMessage): void
  onStop(): void
  onEditLast(): void
}

/** Where one writes. Enter sends, also while an answer is coming: several may run at once. */
export function Composer(props: ComposerProps) {
  const {text, files, accepts, running, busy, name, area, onText, onFiles, onRemoveFile, onSend, onStop, onEditLast} =
    props
  const picker = useRef<HTMLInputElement>(null)
  const empty = !text.trim() && files.length === 0
  // biome-ignore lint/correctness/useExhaustiveDependencies: the text is what makes it grow.
  useLayoutEffect(() => fitHeight(area.current), [text, area])
  const send = () => {
    if (!empty && !busy) onSend({text: text.trim(), ...(files.length > 0 && {files})})
  }
  const onKeyDown = (event: KeyboardEvent) => {
    // Enter may choose a word of an input method.
    if (event.nativeEvent.isComposing) return
    if (event.key === 'Enter' && !event.shiftKey) {
      event.preventDefault()
      send()
    } else if (event.key === 'ArrowUp' && empty) {
      event.preventDefault()
      onEditLast()
    }
  }
  const onPaste = (event: ClipboardEvent) => {
    const pasted = [...event.clipboardData.files]
    if (pasted.length === 0 || accepts.length === 0) return
    event.preventDefault()
    onFiles(pasted)
  }
  return (
    <form
      className="composer"
      aria-label="Message"
      onSubmit={event => {
        event.preventDefault()
        send()
      }}
    >
      {files.length > 0 && <Attached files={files} onRemove={onRemoveFile} />}
      <textarea
        ref={area}
        rows={1}
        aria-label="Message"
        placeholder={`Message ${name}`}
        enterKeyHint="send"
        value={text}
        onChange={event => onText(event.target.value)}
        onKeyDown={onKeyDown}
        onPaste={onPaste}
      />
      <div className="composer-row">
        {accepts.length > 0 && (
          <>
            <IconButton icon="attach" label="Attach files" tip="above" onClick={() => picker.current?.click()} />
            <input
              ref={picker}
              type="file"
              multiple
              hidden
              accept={accepts.join(',')}
              onChange={event => {
                onFiles([...(event.target.files ?? [])])
                event.target.value = ''
              }}
            />
          </>
        )}
        <p className="hint">
          <kbd>Enter</kbd> sends, <kbd>Shift</kbd>+<kbd>Enter</kbd> is a new line
        </p>
        {running && <IconButton icon="stop" label="Stop" tip="above" className="round" onClick={onStop} />}
        {(!running || !empty) && (
          <button
            type="submit"
            className="icon-button round primary"
            aria-label="Send"
            data-tip="Send"
            data-tip-at="above"
            disabled={empty || busy}
          >
            <Icon name="send" />
          </button>
        )}
      </div>
    </form>
  )
}

function Attached({files, onRemove}: {files: readonly Attachment[]; onRemove(index: number): void}) {
  return (
    <ul className="attached" aria-label="Attached files">
      {files.map((file, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: the same file may be attached twice.
        <li key={index}>
          <FileView file={file} />
          <IconButton icon="close" label={`Remove ${file.name ?? 'file'}`} tip="none" onClick={() => onRemove(index)} />
        </li>
      ))}
    </ul>
  )
}
