// Drives @ag-ui/client's HttpAgent: one JSON request per line in, one JSON answer per line out.
import {createInterface} from 'node:readline'
import {HttpAgent} from '@ag-ui/client'

const agents = new Map()
const warnings = []
console.warn = (...parts) => warnings.push(parts.join(' '))
console.error = console.warn

function agentFor({agent, url, threadId, headers}) {
  if (!agents.has(agent)) agents.set(agent, new HttpAgent({url, threadId, headers}))
  return agents.get(agent)
}

async function answer(request) {
  const agent = agentFor(request)
  if (request.messages) agent.setMessages(request.messages)
  if (request.ask) agent.addMessage({id: request.askId ?? crypto.randomUUID(), role: 'user', content: request.ask})
  warnings.length = 0
  const events = []
  const found = {events}
  try {
    const {result} = await agent.runAgent(
      {runId: request.runId, resume: request.resume, tools: request.tools},
      {
        onEvent: ({event}) => {
          events.push(event)
          if (request.abortAfter === event.type) agent.abortRun()
        },
        onRunErrorEvent: ({event}) => {
          found.runError = event
        }
      }
    )
    if (result !== undefined) found.result = result
  } catch (error) {
    found.error = String(error?.message ?? error)
  }
  return {
    ...found,
    messages: agent.messages,
    state: agent.state,
    pending: agent.pendingInterrupts,
    warnings: [...warnings]
  }
}

for await (const line of createInterface({input: process.stdin})) {
  process.stdout.write(`${JSON.stringify(await answer(JSON.parse(line)))}\n`)
}
