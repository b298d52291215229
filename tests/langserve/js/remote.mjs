// LangServe's own JavaScript client, the last that there was: `node remote.mjs URL` prints what it saw, as JSON.
import {AIMessage, HumanMessage} from '@langchain/core/messages'
import {RemoteRunnable} from '@langchain/core/runnables/remote'

const server = process.argv[2]
const remote = (path, options) => new RemoteRunnable({url: `${server}/${path}`, options})

async function all(stream) {
  const seen = []
  for await (const one of await stream) seen.push(one)
  return seen
}

async function refusal(ask) {
  try {
    await ask()
  } catch (error) {
    return String(error.message)
  }
  return null
}

async function brokenStream() {
  const pieces = []
  const error = await refusal(async () => {
    for await (const piece of await remote('breaks').stream(1)) pieces.push(piece)
  })
  return {pieces, error}
}

const message = value => ({kind: value.constructor.name, content: value.content})
const config = {tags: ['t'], metadata: {m: 1}, configurable: {template: '{x}!'}}
const patches = await all(remote('words').streamLog(2))
const events = await all(remote('chain').streamEvents({q: 'x'}, {version: 'v2'}, {includeTypes: ['parser']}))

console.log(
  JSON.stringify({
    invoke: await remote('add').invoke(1),
    slash: await remote('add/').invoke(1),
    batch: await remote('add').batch([1, 2]),
    batchWithConfigs: await remote('add').batch([1, 2], [{tags: ['a']}, {tags: ['b']}]),
    stream: await all(remote('words').stream(3)),
    empty: await all(remote('words').stream(0)),
    separators: (await all(remote('separators').stream(1))).join(''),
    chat: (await all(remote('chat').stream([new HumanMessage('hi')]))).map(message),
    answer: message(await remote('chat').invoke('hi')),
    read: await remote('read').invoke([new HumanMessage('hi'), new AIMessage('yes')]),
    told: await remote('asked-all').invoke({x: '1'}, config),
    header: (await remote('modified', {headers: {'x-user': 'me'}}).invoke({x: '1'}, config)).tags,
    patches: patches.length,
    streamed: patches
      .flatMap(patch => patch.ops)
      .filter(op => op.path === '/streamed_output/-')
      .map(op => op.value),
    events: events.map(event => event.event),
    said: events
      .filter(event => event.event === 'on_parser_stream')
      .map(event => event.data.chunk)
      .join(''),
    failed: await refusal(() => remote('fails').invoke(1)),
    invalid: await refusal(() => remote('add').invoke('no')),
    invalidStream: await refusal(() => all(remote('add').stream('no'))),
    broken: await brokenStream()
  })
)
