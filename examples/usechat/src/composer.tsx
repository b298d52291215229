import {type FormEvent, type KeyboardEvent, useRef, useState} from 'react'

interface ComposerProps {
  busy: boolean
  /** Why nothing can be asked now. */
  waitsFor: string | undefined
  onSend: (text: string) => void
  onStop: () => void
}

/** Enter sends, Shift and Enter begin a line, Escape stops the answer. */
export function Composer({busy, waitsFor, onSend, onStop}: ComposerProps) {
  const [text, setText] = useState('')
  const box = useRef<HTMLTextAreaElement>(null)
  const send = (event: FormEvent) => {
    event.preventDefault()
    box.current?.focus()
    if (busy || waitsFor || !text.trim()) return
    onSend(text)
    setText('')
  }
  const stop = () => {
    box.current?.focus()
    onStop()
  }
  const key = (event: KeyboardEvent) => {
    if (event.key === 'Enter' && !event.shiftKey && !event.nativeEvent.isComposing) send(event)
    if (event.key === 'Escape' && busy) stop()
  }
  return (
    <form className="composer column" onSubmit={send}>
      <textarea
        ref={box}
        aria-label="Message"
        placeholder={waitsFor ?? 'Message'}
        rows={2}
        value={text}
        onChange={event => setText(event.target.value)}
        onKeyDown={key}
      />
      {busy ? (
        <button key="stop" type="button" onClick={stop}>
          Stop
        </button>
      ) : (
        <button key="send" type="submit" className="primary" disabled={waitsFor !== undefined}>
          Send
        </button>
      )}
    </form>
  )
}
