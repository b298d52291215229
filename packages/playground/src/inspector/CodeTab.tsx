import {type ReactNode, useState} from 'react'
import {ScrollRegion} from './ScrollRegion.js'
import {type Call, LANGUAGES, type Language, snippet} from './snippets.js'

interface CodeTabProps {
  call: Call
  onCopy(text: string, what: string): void
}

/** Code that makes the same call again. */
export function CodeTab({call, onCopy}: CodeTabProps): ReactNode {
  const [language, setLanguage] = useState<Language>('curl')
  const code = snippet(language, call)
  return (
    <div className="insp-code">
      <div className="insp-bar">
        <fieldset className="insp-choice">
          <legend className="insp-hidden">Language</legend>
          {LANGUAGES.map(name => (
            <button key={name} type="button" aria-pressed={name === language} onClick={() => setLanguage(name)}>
              {name}
            </button>
          ))}
        </fieldset>
        <button type="button" onClick={() => onCopy(code, `${language} code`)}>
          Copy
        </button>
      </div>
      <ScrollRegion label={`${language} code`}>
        <pre>{code}</pre>
      </ScrollRegion>
      {call.headers.length > 0 && (
        <p className="insp-note">
          The secret is not in the code: <code>$UNSPOOL_TOKEN</code> stands for it.
        </p>
      )}
      {call.resumes !== undefined && call.answers === undefined && (
        <p className="insp-note">The answers to the interrupted run are not known here; fill yours in.</p>
      )}
    </div>
  )
}
