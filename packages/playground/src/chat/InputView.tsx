import {JsonView, pretty} from '../ui/JsonView.js'

/** The input of an agent that is not a chat: what its members are, by name. */
export function InputView({input}: {input: unknown}) {
  if (typeof input !== 'object' || input === null || Array.isArray(input)) {
    return (
      <div className="message user">
        <div className="bubble plain">{pretty(input)}</div>
      </div>
    )
  }
  return (
    <div className="message user">
      <dl className="bubble members">
        {Object.entries(input).map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>
              {typeof value === 'object' && value !== null ? <JsonView value={value} label={name} /> : String(value)}
            </dd>
          </div>
        ))}
      </dl>
    </div>
  )
}
