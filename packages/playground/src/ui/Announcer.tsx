import {createContext, type ReactNode, useCallback, useContext, useState} from 'react'

const Announce = createContext<(text: string) => void>(() => undefined)

/** Says states to people who do not see the page, never tokens: the one live region. */
export function Announcer({children}: {children: ReactNode}) {
  const [said, setSaid] = useState({text: '', turn: 0})
  // The same words again are a change only if something in the region changes.
  const announce = useCallback((text: string) => setSaid(({turn}) => ({text, turn: turn + 1})), [])
  return (
    <Announce value={announce}>
      {children}
      <div className="visually-hidden" role="status" aria-live="polite" data-testid="announcer">
        <span key={said.turn}>{said.text}</span>
      </div>
    </Announce>
  )
}

export const useAnnounce = () => useContext(Announce)
