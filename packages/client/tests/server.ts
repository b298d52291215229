/** A real server with scripted agents, and a wire to it that can be cut. */

import {type ChildProcess, spawn} from 'node:child_process'
import {mkdtempSync, rmSync} from 'node:fs'
import {connect as connectTo, createServer, type Socket} from 'node:net'
import {tmpdir} from 'node:os'
import {join} from 'node:path'

const ROOT = join(import.meta.dirname, '../../..')

export interface TestServer {
  url: string
  /** Lets a run that waits at this gate go on. */
  release(gate: string, passes?: number | 'all'): Promise<void>
  /** kill -9, and a new process on the same log and port. */
  restart(): Promise<void>
  stop(): Promise<void>
}

/**
 * Starts the Python server, or names the one that `UNSPOOL_SERVER` does: any that claims the native protocol and has the
 * agents of `tests/support/browser_agents.py`.
 */
export async function startServer(options: {token?: string} = {}): Promise<TestServer> {
  const given = process.env.UNSPOOL_SERVER
  if (given && !options.token) return {...gates(given), restart: unsupported, stop: async () => {}}
  const place = mkdtempSync(join(tmpdir(), 'unspool-client-'))
  let {process: server, url} = await launch(place, 0, options.token)
  const port = Number(new URL(url).port)
  return {
    ...gates(url),
    async restart() {
      await ended(server, 'SIGKILL')
      ;({process: server} = await launch(place, port, options.token))
    },
    async stop() {
      await ended(server, 'SIGTERM')
      rmSync(place, {recursive: true, force: true})
    }
  }
}

async function unsupported(): Promise<void> {
  throw new Error('a server that was given by UNSPOOL_SERVER is not restarted')
}

function gates(url: string): Pick<TestServer, 'url' | 'release'> {
  return {
    url,
    async release(gate, passes = 1) {
      const response = await fetch(`${url}/gate/${gate}?passes=${passes}`, {method: 'POST'})
      if (!response.ok) throw new Error(`the gate ${gate} answered ${response.status}`)
    }
  }
}

async function launch(place: string, port: number, token?: string): Promise<{process: ChildProcess; url: string}> {
  const log = join(place, 'runs.sqlite')
  const args = ['-m', 'tests.support.browser_app', '--port', `${port}`, '--log', log, '--lease', '1.5', '--until-eof']
  if (token) args.push('--token', token)
  const child = spawn(join(ROOT, '.venv/bin/python'), args, {cwd: ROOT, stdio: ['pipe', 'pipe', 'inherit']})
  const url = await new Promise<string>((resolve, reject) => {
    let said = ''
    child.stdout.on('data', chunk => {
      said += chunk
      const ready = /READY (\S+)/.exec(said)?.[1]
      if (ready) resolve(ready)
    })
    child.once('exit', code => reject(new Error(`the server ended with ${code}`)))
  })
  return {process: child, url}
}

async function ended(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exit = new Promise(resolve => child.once('exit', resolve))
  child.kill(signal)
  await exit
}

export interface Wire {
  url: string
  /** Cuts each connection after so many bytes of the answer; `Infinity`: lets all pass. */
  cutAfter: (connection: number) => number
  /** Refuses new connections and cuts those that are open. */
  down: boolean
  connections: number
  close(): Promise<void>
}

/** A TCP proxy in front of `url`, as a network that fails. */
export async function startWire(url: string): Promise<Wire> {
  const {port, hostname} = new URL(url)
  const open = new Set<Socket>()
  const server = createServer(client => {
    wire.connections += 1
    let left = wire.cutAfter(wire.connections)
    if (isDown) return void client.destroy()
    const upstream = connectTo(Number(port), hostname)
    for (const socket of [client, upstream]) {
      open.add(socket)
      socket.on('error', () => {})
      socket.on('close', () => {
        open.delete(socket)
        client.destroy()
        upstream.destroy()
      })
    }
    client.pipe(upstream)
    upstream.on('data', (chunk: Buffer) => {
      client.write(chunk.subarray(0, left))
      left -= chunk.length
      if (left <= 0) client.destroySoon()
    })
    upstream.on('end', () => client.end())
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (!address || typeof address === 'string') throw new Error('no port')
  let isDown = false
  const wire: Wire = {
    url: `http://127.0.0.1:${address.port}`,
    cutAfter: () => Number.POSITIVE_INFINITY,
    connections: 0,
    get down() {
      return isDown
    },
    set down(down) {
      isDown = down
      if (down) for (const socket of open) socket.destroy()
    },
    close: () =>
      new Promise(resolve => {
        for (const socket of open) socket.destroy()
        server.close(() => resolve())
      })
  }
  return wire
}
