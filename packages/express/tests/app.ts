/** The Express app of the tests: each agent at its own path, and the gates. */

import type {Server} from 'node:http'
import type {AddressInfo} from 'node:net'
import {type Agent, createAgent} from '@unspool/express'
import express, {type Express} from 'express'
import {Gates, makeAgents} from './agents.js'

export interface Serving {
  url: string
  close(): Promise<void>
}

/** Serves an app on a free port, or on this one. */
export async function serve(app: Express, port = 0): Promise<Serving> {
  const server: Server = await new Promise((resolve, reject) => {
    const listening: Server = app.listen(port, '127.0.0.1', () => resolve(listening))
    listening.once('error', reject)
  })
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () =>
      new Promise(resolve => {
        server.close(() => resolve())
        server.closeAllConnections()
      })
  }
}

export interface AppOptions {
  /** What `Authorization: Bearer` must carry. Default: everybody may ask. */
  token?: string | undefined
}

/** What may be attached to a message for `echo`, which counts the files. */
const ACCEPTS = ['image/*', 'text/plain']

/** The agents of `agents.ts`, each at its own path, and `POST /gate/{name}?passes=`. */
export function testApp({token}: AppOptions = {}): {app: Express; agents: Agent[]} {
  const app = express()
  const gates = new Gates()
  const agents = Object.entries(makeAgents(gates)).map(([name, {source, schemas}]) => {
    const agent = createAgent(source, {
      name,
      schemas,
      accepts: name === 'echo' || name === 'agent' ? ACCEPTS : [],
      authenticate: req => (token && req.get('Authorization') !== `Bearer ${token}` ? null : 'tester'),
      onError: () => {}
    })
    app.use(`/${name}`, agent.router)
    return agent
  })
  app.post('/gate/:name', (req, res) => {
    const passes = String(req.query.passes ?? 1)
    gates.release(String(req.params.name), passes === 'all' ? Number.POSITIVE_INFINITY : Number(passes))
    res.json({})
  })
  return {app, agents}
}
