interface EmptyProps {
  name: string
  description: string | undefined
  note: string
  /** Left out where the input is a form. */
  examples: readonly string[]
  onExample(text: string): void
}

const USUAL = [
  'What can you do?',
  'Explain how a rainbow comes about, in three sentences.',
  'Write a Python function that merges two sorted lists.',
  'Compare tea and coffee in a table.'
]

/** Before the first message. */
export function Empty({name, description, note, examples, onExample}: EmptyProps) {
  return (
    <div className="empty">
      <h2>{name}</h2>
      {description && <p>{description}</p>}
      {note && <p className="empty-note">{note}</p>}
      <ul className="examples" aria-label="Examples">
        {examples.map(text => (
          <li key={text}>
            <button type="button" onClick={() => onExample(text)}>
              {text}
            </button>
          </li>
        ))}
      </ul>
    </div>
  )
}

export const examplesOr = (examples: readonly string[]): readonly string[] => (examples.length > 0 ? examples : USUAL)
