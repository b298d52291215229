import type {TransportName} from '@unspool/client'
import {useClient, useSchemas, useThreads} from '@unspool/react'
import {useCallback, useEffect, useMemo, useRef, useState} from 'react'
import {ChatView} from '../chat/ChatView.js'
import {hasFields} from '../chat/kind.js'
import {useConversation} from '../chat/useConversation.js'
import type {AgentEntry, PlaygroundConfig} from '../config.js'
import {type Credentials, headersOf, sidebarOpen} from '../preferences.js'
import {navigate, type Route} from '../route.js'
import {stored, useStored} from '../stored.js'
import {Dialog} from '../ui/Dialog.js'
import {useMediaQuery} from '../ui/useMediaQuery.js'
import {ConfigDialog} from './ConfigDialog.js'
import {Header} from './Header.js'
import {InspectorPane} from './InspectorPane.js'
import {SettingsDialog} from './SettingsDialog.js'
import {ShortcutsDialog} from './ShortcutsDialog.js'
import {Sidebar} from './Sidebar.js'
import {useShortcuts} from './useShortcuts.js'
import {useStates} from './useStates.js'

interface WorkspaceProps {
  config: PlaygroundConfig
  agent: AgentEntry
  route: Route
  credentials: Credentials
  transport: TransportName
}

type Open = 'settings' | 'shortcuts' | 'config' | 'drawer'

/** All that belongs to one agent, as one person sees it. */
export function Workspace({config, agent, route, credentials, transport}: WorkspaceProps) {
  const headers = useMemo(() => headersOf(credentials), [credentials])
  const client = useClient({url: agent.url, transport, ...(headers && {headers})})
  const {schemas, error, reload: reloadSchemas} = useSchemas({client})
  const {threads, error: listError, hasMore, reload, loadMore} = useThreads({client})
  const settings = useMemo(() => stored<Record<string, unknown>>('session', `config:${agent.url}`, {}), [agent])
  const [runConfig, setRunConfig] = useStored(settings)
  const conversation = useConversation(client, agent.name, runConfig)
  const {turns, status, actions: chat} = conversation

  const narrow = useMediaQuery('(max-width: 760px)')
  const [wanted, setWanted] = useStored(sidebarOpen)
  const [open, setOpen] = useState<Open>()
  const [editing, setEditing] = useState<string>()
  const area = useRef<HTMLTextAreaElement>(null)
  const main = useRef<HTMLElement>(null)
  const close = useCallback(() => setOpen(undefined), [])

  useStates(conversation)
  // The list changes when a turn begins, and when it ends.
  const seen = useRef(`${status} ${turns.length}`)
  useEffect(() => {
    const now = `${status} ${turns.length}`
    if (now === seen.current) return
    seen.current = now
    if (status !== 'restoring') void reload()
  }, [status, turns.length, reload])
  useEffect(() => {
    document.title = `${agent.name} · ${config.title}`
  }, [agent, config])

  const {name} = agent
  const {thread} = route
  const focus = useCallback(() => (area.current ?? main.current)?.focus(), [])
  const inspect = useCallback(
    (run?: string) => navigate({agent: name, ...(thread && {thread}), ...(run && {run})}),
    [name, thread]
  )
  const openSettings = useCallback(() => setOpen('settings'), [])
  const newChat = useCallback(() => {
    navigate({agent: name})
    setOpen(undefined)
    focus()
  }, [name, focus])
  const running = turns.findLast(turn => turn.run)
  const lastRun = turns.at(-1)?.runId
  const toggleInspector = route.run ? () => inspect() : lastRun ? () => inspect(lastRun) : undefined
  const toggleSidebar = useCallback(
    () => (narrow ? setOpen('drawer') : setWanted(!wanted)),
    [narrow, wanted, setWanted]
  )

  useShortcuts({
    stop: () => {
      if (running) chat.stop().catch(() => undefined)
      return running !== undefined
    },
    focus,
    newChat,
    inspect: () => toggleInspector?.(),
    sidebar: toggleSidebar,
    help: () => setOpen('shortcuts')
  })
  const sidebar = (
    <Sidebar
      title={config.title}
      agents={config.agents}
      agent={name}
      threads={threads}
      thread={conversation.threadId}
      more={hasMore}
      problem={listError?.message}
      onMore={loadMore}
      onReload={reload}
      onNew={newChat}
      onChoose={close}
      onClose={narrow ? close : toggleSidebar}
    />
  )
  return (
    <div className="shell">
      <button type="button" className="skip" onClick={focus}>
        Skip to the conversation
      </button>
      {wanted && !narrow && <aside className="sidebar">{sidebar}</aside>}
      <div className="center">
        <Header
          name={name}
          model={config.model}
          turn={running}
          sidebarShown={wanted && !narrow}
          inspecting={route.run !== undefined}
          configurable={hasFields(schemas?.config)}
          onSidebar={toggleSidebar}
          onNew={newChat}
          onInspect={toggleInspector}
          onConfig={() => setOpen('config')}
          onSettings={openSettings}
          onShortcuts={() => setOpen('shortcuts')}
        />
        <main id="main" ref={main} tabIndex={-1}>
          <ChatView
            conversation={conversation}
            client={client}
            schemas={schemas}
            problem={error}
            name={name}
            note={config.note}
            draftKey={`${agent.url} ${thread ?? ''}`}
            area={area}
            editing={editing}
            onEdit={setEditing}
            onInspect={inspect}
            onSettings={openSettings}
            onRetry={reloadSchemas}
          />
        </main>
      </div>
      {route.run && (
        <InspectorPane url={agent.url} headers={headers} runId={route.run} agentName={name} onClose={() => inspect()} />
      )}
      {open === 'drawer' && (
        <Dialog title="Conversations" shape="drawer" bare onClose={close}>
          {sidebar}
        </Dialog>
      )}
      {open === 'settings' && <SettingsDialog onClose={close} />}
      {open === 'shortcuts' && <ShortcutsDialog onClose={close} />}
      {open === 'config' && hasFields(schemas?.config) && (
        <ConfigDialog schema={schemas.config} value={runConfig} onChange={setRunConfig} onClose={close} />
      )}
    </div>
  )
}
