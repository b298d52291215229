import {type FormEvent, type KeyboardEvent, useState} from 'react'

interface ComposerProps {
  busy: boolean
  onSend: (text: string) => void
  onStop: () => void
}

/** Enter sends, Shift and Enter begin a line, Escape stops the answer. */
export function Composer({busy, onSend, onStop}: ComposerProps) {
  const [text, setText] = useState('')
  const send = (event: FormEvent) => {
    event.preventDefault()
    if (!text.trim()) return
    onSend(text)
    setText('')
  }
  const key = (event: KeyboardEvent) => {
    if (event.key === 'Enter' && !event.shiftKey && !event.nativeEvent.isComposing) send(event)
    if (event.key === 'Escape' && busy) onStop()
  }
  return (
    <form className="composer" onSubmit={send}>
      <textarea
        aria-label="Message"
        placeholder="Message"
        rows={2}
        value={text}
        onChange={event => setText(event.target.value)}
        onKeyDown={key}
      />
      {busy && (
        <button type="button" onClick={onStop}>
          Stop
        </button>
      )}
      <button type="submit">Send</button>
    </form>
  )
}
