// Reads the token shapes as the guides do: one JSON request per line in, one JSON answer per line out.
import {createInterface} from 'node:readline'
import {EventSource} from 'eventsource'

async function fetchLines({url, body}) {
  const response = await fetch(url, {
    method: 'POST',
    headers: {'Content-Type': 'application/json'},
    body: JSON.stringify(body)
  })
  const reader = response.body.getReader()
  const decoder = new TextDecoder()
  const found = []
  let rest = ''
  for (;;) {
    const {done, value} = await reader.read()
    if (done) break
    rest += decoder.decode(value, {stream: true})
    const lines = rest.split('\n')
    rest = lines.pop()
    for (const line of lines) if (line.startsWith('data: ')) found.push(line.slice(6))
  }
  return found
}

// Never closes by itself: it ends when the server says that there is nothing more.
function eventSource({url, names}) {
  return new Promise(resolve => {
    const source = new EventSource(url)
    const found = []
    for (const name of names) source.addEventListener(name, event => found.push([name, event.data]))
    source.onerror = () => {
      if (source.readyState === 2) resolve(found)
    }
  })
}

for await (const line of createInterface({input: process.stdin})) {
  const request = JSON.parse(line)
  const found = await (request.names ? eventSource(request) : fetchLines(request))
  process.stdout.write(`${JSON.stringify(found)}\n`)
}
