import {type FormEvent, useId, useState} from 'react'

/** An answer in one's own words, or as JSON. `folded`: it is one way among others, and is shown when asked for. */
export function OpenAnswer({folded, onAnswer}: {folded: boolean; onAnswer(value: unknown): void}) {
  const [text, setText] = useState('')
  const [json, setJson] = useState(false)
  const [wrong, setWrong] = useState<string>()
  const id = useId()
  const submit = (event: FormEvent) => {
    event.preventDefault()
    if (!json) return onAnswer(text)
    try {
      onAnswer(JSON.parse(text))
    } catch {
      setWrong('This is not JSON.')
    }
  }
  const form = (
    <form className="open-answer" onSubmit={submit}>
      <label htmlFor={id}>Your answer</label>
      <textarea
        id={id}
        rows={json ? 4 : 2}
        value={text}
        aria-invalid={wrong !== undefined}
        aria-describedby={`${id}-wrong`}
        onChange={event => {
          setText(event.target.value)
          setWrong(undefined)
        }}
      />
      <p id={`${id}-wrong`} className="wrong">
        {wrong}
      </p>
      <div className="row">
        <button type="submit" className="button primary" disabled={!text.trim()}>
          Answer
        </button>
        <label className="check">
          <input type="checkbox" checked={json} onChange={event => setJson(event.target.checked)} /> as JSON
        </label>
      </div>
    </form>
  )
  if (!folded) return form
  return (
    <details className="other-answer">
      <summary>Something else</summary>
      {form}
    </details>
  )
}
