import type {Turn} from '@unspool/client/chat'
import type {ReactNode} from 'react'
import {type Theme, theme} from '../preferences.js'
import {useStored} from '../stored.js'
import type {IconName} from '../ui/Icon.js'
import {IconButton} from '../ui/IconButton.js'
import {Connection} from './Connection.js'

interface HeaderProps {
  name: string
  model: string
  /** The one that runs, if one does. */
  turn: Turn | undefined
  sidebarShown: boolean
  inspecting: boolean
  /** Whether the agent can be configured. */
  configurable: boolean
  onSidebar(): void
  onNew(): void
  onInspect: (() => void) | undefined
  onConfig(): void
  onSettings(): void
  onShortcuts(): void
}

export function Header(props: HeaderProps) {
  const {name, model, turn, sidebarShown, inspecting, configurable} = props
  return (
    <header className="header">
      {!sidebarShown && (
        <>
          <IconButton icon="panel" label="Open sidebar" onClick={props.onSidebar} />
          <IconButton icon="plus" label="New chat" onClick={props.onNew} />
        </>
      )}
      <div className="header-title">
        <h1>{name}</h1>
        {model && <p className="model">{model}</p>}
      </div>
      <Connection turn={turn} />
      <Tools>
        {configurable && <IconButton icon="sliders" label="Configuration" onClick={props.onConfig} />}
        <IconButton
          icon="inspect"
          label={inspecting ? 'Close inspector' : 'Inspect last run'}
          data-on={inspecting}
          disabled={!props.onInspect}
          onClick={props.onInspect}
        />
        <ThemeButton />
        <IconButton icon="keyboard" label="Keyboard shortcuts" className="wide-only" onClick={props.onShortcuts} />
        <IconButton icon="settings" label="Settings" className="tip-end" onClick={props.onSettings} />
      </Tools>
    </header>
  )
}

function Tools({children}: {children: ReactNode}) {
  return <div className="tools">{children}</div>
}

const NEXT: Record<Theme, Theme> = {system: 'light', light: 'dark', dark: 'system'}
const ICONS: Record<Theme, IconName> = {system: 'system', light: 'sun', dark: 'moon'}

function ThemeButton() {
  const [chosen, choose] = useStored(theme)
  return <IconButton icon={ICONS[chosen]} label={`Theme: ${chosen}`} onClick={() => choose(NEXT[chosen])} />
}
