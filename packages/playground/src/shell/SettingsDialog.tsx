import type {TransportName} from '@unspool/client'
import {type FormEvent, useId, useState} from 'react'
import {type Credentials, credentials, letterKeys, type Theme, theme, transport} from '../preferences.js'
import {useStored} from '../stored.js'
import {Dialog} from '../ui/Dialog.js'

const THEMES: Record<Theme, string> = {system: 'As the system', light: 'Light', dark: 'Dark'}

const TRANSPORTS: Record<TransportName, string> = {
  auto: 'Automatic',
  sse: 'SSE (fetch)',
  eventsource: 'SSE (EventSource)',
  ndjson: 'NDJSON lines',
  websocket: 'WebSocket'
}

export function SettingsDialog({onClose}: {onClose(): void}) {
  const [chosenTheme, setTheme] = useStored(theme)
  const [chosenTransport, setTransport] = useStored(transport)
  const [letters, setLetters] = useStored(letterKeys)
  const id = useId()
  return (
    <Dialog title="Settings" onClose={onClose}>
      <div className="settings">
        <fieldset>
          <legend>Theme</legend>
          <div className="segments">
            {(Object.keys(THEMES) as Theme[]).map(one => (
              <label key={one}>
                <input type="radio" name={`${id}-theme`} checked={one === chosenTheme} onChange={() => setTheme(one)} />
                <span>{THEMES[one]}</span>
              </label>
            ))}
          </div>
        </fieldset>
        <CredentialsForm />
        <div className="field">
          <label htmlFor={`${id}-transport`}>Transport</label>
          <select
            id={`${id}-transport`}
            value={chosenTransport}
            onChange={event => setTransport(event.target.value as TransportName)}
          >
            {Object.entries(TRANSPORTS).map(([name, label]) => (
              <option key={name} value={name}>
                {label}
              </option>
            ))}
          </select>
          <p className="hint">Automatic streams by fetch, and takes a WebSocket where a proxy holds that back.</p>
        </div>
        <label className="check">
          <input type="checkbox" checked={letters} onChange={event => setLetters(event.target.checked)} />
          Single keys are shortcuts
        </label>
      </div>
    </Dialog>
  )
}

const KINDS: Record<Credentials['kind'], string> = {none: 'None', bearer: 'Bearer token', key: 'API key'}

/** Takes effect when it is applied: every change of them connects anew. */
function CredentialsForm() {
  const [applied, apply] = useStored(credentials)
  const [draft, setDraft] = useState(applied)
  const id = useId()
  const changed = JSON.stringify(draft) !== JSON.stringify(applied)
  const submit = (event: FormEvent) => {
    event.preventDefault()
    apply(draft.kind === 'none' ? {...draft, secret: ''} : draft)
  }
  return (
    <form onSubmit={submit}>
      <fieldset>
        <legend>Credentials</legend>
        <div className="segments">
          {(Object.keys(KINDS) as Credentials['kind'][]).map(kind => (
            <label key={kind}>
              <input
                type="radio"
                name={`${id}-kind`}
                checked={kind === draft.kind}
                onChange={() => setDraft({...draft, kind})}
              />
              <span>{KINDS[kind]}</span>
            </label>
          ))}
        </div>
        {draft.kind === 'key' && (
          <div className="field">
            <label htmlFor={`${id}-header`}>Header</label>
            <input
              id={`${id}-header`}
              value={draft.header}
              onChange={event => setDraft({...draft, header: event.target.value})}
            />
          </div>
        )}
        {draft.kind !== 'none' && (
          <div className="field">
            <label htmlFor={`${id}-secret`}>{KINDS[draft.kind]}</label>
            <input
              id={`${id}-secret`}
              type="password"
              autoComplete="off"
              spellCheck={false}
              value={draft.secret}
              onChange={event => setDraft({...draft, secret: event.target.value})}
            />
            <p className="hint">Kept until this tab is closed, and sent to this server only.</p>
          </div>
        )}
        {changed && (
          <button type="submit" className="button primary">
            Apply
          </button>
        )}
      </fieldset>
    </form>
  )
}
