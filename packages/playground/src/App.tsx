import {StreamingErrorBoundary} from '@unspool/react'
import {useEffect} from 'react'
import type {PlaygroundConfig} from './config.js'
import {credentials, transport} from './preferences.js'
import {navigate, useRoute} from './route.js'
import {Failed} from './shell/Failed.js'
import {Workspace} from './shell/Workspace.js'
import {useStored} from './stored.js'
import {Announcer} from './ui/Announcer.js'

export function App({config}: {config: PlaygroundConfig}) {
  const route = useRoute()
  const [given] = useStored(credentials)
  const [chosen] = useStored(transport)
  const [first] = config.agents
  const agent = config.agents.find(({name}) => name === route.agent) ?? first
  const unknown = agent !== undefined && route.agent !== undefined && route.agent !== agent.name
  useEffect(() => {
    if (unknown) navigate({agent: agent.name}, {replace: true})
  }, [unknown, agent])
  if (!agent) return null
  // With other credentials one is somebody else, who has other conversations.
  const who = `${agent.url} ${given.kind} ${given.header} ${given.secret}`
  return (
    <Announcer>
      <StreamingErrorBoundary fallback={({error, reset}) => <Failed error={error} onRetry={reset} />}>
        <Workspace key={who} config={config} agent={agent} route={route} credentials={given} transport={chosen} />
      </StreamingErrorBoundary>
    </Announcer>
  )
}
