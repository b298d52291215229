/**
 * Reads AG-UI streams as @ag-ui/client's HttpAgent does, verifier and all.
 *
 * Standard input: a JSON list of bodies, in base64. Standard output: a JSON list of what each comes to: the messages and the
 * state of the agent, the error that its run ended with, what the client refused to read, and what it warned of.
 */

import {HttpAgent} from '@ag-ui/client'

const warnings = []
console.warn = (...parts) => warnings.push(parts.join(' '))
console.error = console.warn

async function read(body) {
  globalThis.fetch = async () =>
    new Response(Buffer.from(body, 'base64'), {headers: {'content-type': 'text/event-stream'}})
  const agent = new HttpAgent({url: 'http://localhost/', threadId: 't'})
  const found = {runError: null, refused: null}
  warnings.length = 0
  try {
    await agent.runAgent(
      {runId: 'run-1'},
      {
        onRunErrorEvent: ({event}) => {
          found.runError = event.message
        }
      }
    )
  } catch (error) {
    found.refused = String(error?.message ?? error)
  }
  return {...found, messages: agent.messages, state: agent.state, warnings: [...warnings]}
}

const bodies = JSON.parse(Buffer.concat(await process.stdin.toArray()).toString())
const found = []
for (const body of bodies) found.push(await read(body))
process.stdout.write(JSON.stringify(found))
