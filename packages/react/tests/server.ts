/**
 * A real server with the agents of `tests/support/browser_agents.py`: the Python one, started for the tests of one file,
 * or that of the environment variable `UNSPOOL_SERVER`, whatever it is written in.
 */

import {spawn} from 'node:child_process'
import {createWriteStream, mkdtempSync, readFileSync, rmSync} from 'node:fs'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {createInterface} from 'node:readline'
import {configure} from '@testing-library/react'
import type {Flush} from '@unspool/client'
import {afterAll, beforeAll} from 'vitest'

const ROOT = join(import.meta.dirname, '../../..')

export interface TestServer {
  /** Of an agent: `echo`, `slow`, … */
  url(agent: string): string
  /** The options of a hook for it, that tells each change at once. */
  agent(name: string): {url: string; flush: Flush}
  /** Lets the run that waits at this gate say so many words more. */
  release(gate: string, words?: number | 'all'): Promise<void>
}

/** Call it at the top of a test file. */
export function testServer(): TestServer {
  configure({asyncUtilTimeout: 10_000}) // what is waited for comes; on a busy machine it may take a while
  let base = process.env.UNSPOOL_SERVER ?? ''
  let stop = () => {}
  beforeAll(async () => {
    if (!base) [base, stop] = await startPython()
  })
  afterAll(() => stop())
  return {
    url: agent => `${base}/${agent}`,
    agent: name => ({url: `${base}/${name}`, flush: 'sync'}),
    async release(gate, words = 1) {
      const response = await fetch(`${base}/gate/${gate}?passes=${words}`, {method: 'POST'})
      if (!response.ok) throw new Error(`the gate answered ${response.status}`)
    }
  }
}

async function startPython(): Promise<[url: string, stop: () => void]> {
  const directory = mkdtempSync(join(tmpdir(), 'unspool-react-'))
  const args = ['-m', 'tests.support.browser_app', '--port', '0', '--until-eof', '--log', join(directory, 'log.sqlite')]
  const complaints = join(directory, 'stderr')
  const server = spawn(join(ROOT, '.venv/bin/python'), args, {cwd: ROOT, stdio: ['pipe', 'pipe', 'pipe']})
  server.stderr.pipe(createWriteStream(complaints))
  const stop = () => {
    server.kill('SIGKILL')
    rmSync(directory, {recursive: true, force: true})
  }
  for await (const line of createInterface({input: server.stdout})) {
    const url = /^READY (http:\S+)/.exec(line)?.[1]
    if (url) return [url, stop]
  }
  throw new Error(`the server ended before it was ready: ${readFileSync(complaints, 'utf8')}`)
}
