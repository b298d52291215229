// The AI SDK's own server, on Node: `node ai_sdk_server.mjs PORT`. GET /stream?n=… says `token ` n times.
import {createServer} from 'node:http'
import {createUIMessageStream, pipeUIMessageStreamToResponse} from 'ai'

createServer((request, response) => {
  const url = new URL(request.url, 'http://bench')
  if (url.pathname !== '/stream') return response.writeHead(404).end()
  const count = Number(url.searchParams.get('n'))
  response.on('finish', () => request.socket.end()) // the SDK's headers keep the connection, and we read to its end
  const stream = createUIMessageStream({
    execute({writer}) {
      writer.merge(new ReadableStream(chunks(count)))
    }
  })
  pipeUIMessageStreamToResponse({response, stream})
}).listen(Number(process.argv[2]), '127.0.0.1')

function chunks(count) {
  let said = 0
  return {
    start(controller) {
      controller.enqueue({type: 'start', messageId: 'm'})
      controller.enqueue({type: 'text-start', id: 't'})
    },
    pull(controller) {
      if (said++ < count) return controller.enqueue({type: 'text-delta', id: 't', delta: 'token '})
      controller.enqueue({type: 'text-end', id: 't'})
      controller.enqueue({type: 'finish'})
      controller.close()
    }
  }
}
