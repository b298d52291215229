/** Serves the test agents until it is told to stop. To be run through `serve.mjs`. */

import {parseArgs} from 'node:util'
import {serve, testApp} from './app.js'

export async function main(): Promise<void> {
  const options = {port: {type: 'string', default: '0'}, token: {type: 'string'}} as const
  const {values} = parseArgs({options})
  const {app, agents} = testApp({token: values.token})
  const {url, close} = await serve(app, Number(values.port))
  process.once('SIGTERM', async () => {
    await Promise.all(agents.map(agent => agent.close({grace: 0})))
    await close()
    process.exit(0)
  })
  console.log(`READY ${url}`)
}
