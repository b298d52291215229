import {type KeyboardEvent, type ReactNode, useId, useRef} from 'react'

export interface Tab<Name extends string> {
  name: Name
  label: string
}

interface TabsProps<Name extends string> {
  tabs: readonly Tab<Name>[]
  current: Name
  onChange(name: Name): void
  label: string
  children: ReactNode
}

/** Tabs by the pattern of the ARIA practices: arrow keys, Home and End move and choose. Only one panel exists. */
export function Tabs<Name extends string>({tabs, current, onChange, label, children}: TabsProps<Name>): ReactNode {
  const id = useId()
  const list = useRef<HTMLDivElement>(null)

  function move(event: KeyboardEvent): void {
    const index = tabs.findIndex(tab => tab.name === current)
    const places: Record<string, number> = {
      ArrowRight: (index + 1) % tabs.length,
      ArrowLeft: (index - 1 + tabs.length) % tabs.length,
      Home: 0,
      End: tabs.length - 1
    }
    const place = places[event.key]
    const next = place === undefined ? undefined : tabs[place]
    if (place === undefined || !next) return
    event.preventDefault()
    onChange(next.name)
    const button = list.current?.children[place]
    if (button instanceof HTMLElement) button.focus()
  }

  return (
    <>
      <div ref={list} className="insp-tabs" role="tablist" aria-label={label}>
        {tabs.map(tab => (
          <button
            key={tab.name}
            type="button"
            role="tab"
            id={`${id}-${tab.name}`}
            aria-selected={tab.name === current}
            aria-controls={tab.name === current ? `${id}-panel` : undefined}
            tabIndex={tab.name === current ? 0 : -1}
            onClick={() => onChange(tab.name)}
            onKeyDown={move}
          >
            {tab.label}
          </button>
        ))}
      </div>
      <div className="insp-panel" role="tabpanel" id={`${id}-panel`} aria-labelledby={`${id}-${current}`}>
        {children}
      </div>
    </>
  )
}
