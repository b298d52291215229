// Drives CopilotKit's front end, @copilotkit/core: one JSON request per line in, one JSON answer per line out.
import {createInterface} from 'node:readline'
import {CopilotKitCore, ProxiedCopilotRuntimeAgent} from '@copilotkit/core'

// The @ag-ui/client that CopilotKit is pinned to, which is not the one at the top of node_modules.
const HttpAgent = Object.getPrototypeOf(ProxiedCopilotRuntimeAgent)

const core = new CopilotKitCore({})
const errors = []
core.subscribe({onError: ({code, error}) => void errors.push({code, message: String(error?.message ?? error)})})

function agentFor({agent, url, threadId}) {
  if (!(agent in core.agents)) core.addAgent__unsafe_dev_only({id: agent, agent: new HttpAgent({url, threadId})})
  return core.getAgent(agent)
}

async function answer(request) {
  const agent = agentFor(request)
  if (request.messages) agent.setMessages(request.messages)
  if (request.ask) agent.addMessage({id: request.askId, role: 'user', content: request.ask})
  errors.length = 0
  const events = []
  const watching = agent.subscribe({
    onEvent: ({event}) => {
      events.push(event)
      if (request.stopAfter === event.type) core.stopAgent({agent})
    }
  })
  try {
    await core.runAgent({agent, resume: request.resume})
  } finally {
    watching.unsubscribe()
  }
  return {
    events,
    errors: [...errors],
    messages: agent.messages,
    state: agent.state,
    pending: agent.pendingInterrupts
  }
}

for await (const line of createInterface({input: process.stdin})) {
  process.stdout.write(`${JSON.stringify(await answer(JSON.parse(line)))}\n`)
}
