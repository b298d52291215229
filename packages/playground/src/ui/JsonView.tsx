import {useState} from 'react'

/** Characters that are shown before one asks for all. */
const SHOWN = 4_000

/** Characters that fit on one line, of a phone too. */
const LINE = 40

export function pretty(value: unknown): string {
  if (typeof value === 'string') return value
  const lines = JSON.stringify(value, null, 2) ?? ''
  // A line end within a text is written as \\n, so these are all between members.
  const line = lines.replaceAll(/\n\s*/g, ' ')
  return line.length <= LINE ? line : lines
}

/** A value, as text where it is text, else as JSON. `label` is for those who cannot see what it stands under. */
export function JsonView({value, label}: {value: unknown; label: string}) {
  const [all, setAll] = useState(false)
  const text = pretty(value)
  const cut = !all && text.length > SHOWN
  return (
    <>
      {/* biome-ignore-start lint/a11y: what scrolls must be reached by keyboard; a group, so that landmarks stay few. */}
      <pre className="json" tabIndex={0} role="group" aria-label={label}>
        {cut ? text.slice(0, SHOWN) : text}
      </pre>
      {/* biome-ignore-end lint/a11y: as above. */}
      {cut && (
        <button type="button" className="link" onClick={() => setAll(true)}>
          Show all {text.length.toLocaleString('en')} characters
        </button>
      )}
    </>
  )
}
