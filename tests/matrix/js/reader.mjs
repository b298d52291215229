// Reads runs with the official clients of the protocols: a JSON request per line on stdin, an answer per line on stdout.
import {createInterface} from 'node:readline'
import {HttpAgent} from '@ag-ui/client'
import {Chat} from '@ai-sdk/react'
import {HumanMessage} from '@langchain/core/messages'
import {RemoteRunnable} from '@langchain/core/runnables/remote'
import {connect} from '@unspool/client'
import {unspoolTransport} from '@unspool/client/ai-sdk'
import {DefaultChatTransport} from 'ai'
import {EventSource} from 'eventsource'

const readers = {unspool, aiSdk, aiSdkWithUnspool, agUi, shape, langserve}
const chats = new Map()
const agents = new Map()
const OUTCOMES = {success: 'completed', interrupt: 'interrupted', cancelled: 'cancelled'}
console.warn = (...parts) => process.stderr.write(`${parts.join(' ')}\n`)
console.error = console.warn

async function unspool({url, runId}) {
  const client = connect({url, flush: 'sync', transport: 'sse', backoff: {first: 10}})
  const snapshot = await client.follow(runId).finished
  client.close()
  return {
    status: snapshot.status,
    error: snapshot.problem?.message,
    asked: snapshot.interrupts.map(interrupt => interrupt.value),
    parts: snapshot.messages.filter(message => message.role === 'assistant').flatMap(message => message.parts)
  }
}

/** A body that breaks behind its first text, as one does whose connection is lost. */
function broken(response) {
  const decoder = new TextDecoder()
  const breaking = new TransformStream({
    transform(piece, controller) {
      controller.enqueue(piece)
      if (decoder.decode(piece, {stream: true}).includes('text-delta')) controller.error(new TypeError('terminated'))
    }
  })
  return new Response(response.body.pipeThrough(breaking), response)
}

async function aiSdk({api, id, cut, answer}, lost) {
  let requests = 0
  const fetchAndBreak = async (...request) => {
    const response = await fetch(...request)
    requests += 1
    if (requests === 1) return broken(response)
    lost()
    return response
  }
  const chat = chatOf(id, () => new DefaultChatTransport({api, ...(cut && {fetch: fetchAndBreak})}))
  await ask(chat, answer)
  if (cut) await chat.resumeStream()
  return said(chat)
}

/** With our transport, which comes back by itself. `stopAt`: the text at which the user has had enough. */
async function aiSdkWithUnspool({api, id, stopAt, answer}) {
  let unstopped
  const onStopError = error => {
    unstopped = error
  }
  const chat = chatOf(id, () => unspoolTransport({api, onStopError}))
  const asked = ask(chat, answer)
  if (stopAt !== undefined) {
    await new Promise(resolve => {
      const unsubscribe = chat['~registerMessagesCallback'](() => {
        if (textOf(chat) !== stopAt) return
        unsubscribe()
        resolve()
      })
    })
    await chat.stop()
  }
  await asked
  if (unstopped) throw unstopped
  return said(chat)
}

function chatOf(id, makeTransport) {
  if (!chats.has(id)) chats.set(id, new Chat({id, transport: makeTransport()}))
  return chats.get(id)
}

function ask(chat, answer) {
  return answer === undefined ? chat.sendMessage({text: 'go'}) : answerChat(chat, answer)
}

function textOf({lastMessage}) {
  return lastMessage?.role === 'assistant' ? lastMessage.parts.map(({text}) => text ?? '').join('') : ''
}

function said({lastMessage, status, error}) {
  return {parts: lastMessage.parts, metadata: lastMessage.metadata, status, error: error?.message}
}

async function answerChat(chat, answer) {
  const asked = chat.lastMessage.parts.filter(part => part.state === 'approval-requested')
  for (const {approval} of asked) await chat.addToolApprovalResponse({id: approval.id, approved: true})
  await chat.sendMessage(undefined, asked.length > 0 ? {} : {body: {answer}})
}

async function agUi({url, threadId, cut, answer}, lost) {
  if (!agents.has(threadId)) agents.set(threadId, new HttpAgent({url, threadId}))
  const agent = agents.get(threadId)
  const found = {}
  const subscriber = {
    onRunErrorEvent({event}) {
      found.error = event.message
    },
    onRunFinishedEvent({event}) {
      found.outcome = event.outcome.type
    }
  }
  const resume = agent.pendingInterrupts?.map(({id, reason}) => ({
    interruptId: id,
    status: 'resolved',
    payload: reason === 'tool_call' ? {approved: true} : answer
  }))
  if (answer === undefined) agent.setMessages([{id: crypto.randomUUID(), role: 'user', content: 'go'}])
  const runId = crypto.randomUUID()
  if (cut) await abandoned(agent, runId, lost)
  await agent.runAgent({runId, ...(answer !== undefined && {resume})}, subscriber)
  const status = found.error ? 'failed' : OUTCOMES[found.outcome]
  return {status, error: found.error, messages: agent.messages}
}

/** Leaves a run at its first text, and forgets what it said. */
async function abandoned(agent, runId, lost) {
  const before = [...agent.messages]
  const left = agent.runAgent({runId}, {onTextMessageContentEvent: () => agent.abortRun()})
  await left.catch(() => undefined)
  agent.setMessages(before)
  lost()
}

/** As the pages of the guides read it: an EventSource that is closed when it hears of the end. */
function shape({url, shape}) {
  const found = {text: '', tools: []}
  const source = new EventSource(`${url}?shape=${shape}`)
  return new Promise((resolve, reject) => {
    function end(last) {
      source.close()
      resolve(Object.assign(found, last))
    }
    source.onerror = event => {
      if (source.readyState === EventSource.CLOSED) reject(new Error(event.message))
    }
    const take = event => TAKE[shape](found, event, end)
    for (const name of ['message', 'ai_event', 'tool_event', 'error_event']) source.addEventListener(name, take)
  })
}

const TAKE = {token: takePiece, delta: takePiece, text: takeText, typed: takeTyped, named: takeTyped}

function takePiece(found, {data}, end) {
  const {token, delta, error, done} = JSON.parse(data)
  if (done) end({})
  else if (error) found.error = error
  else found.text += token ?? delta
}

function takeText(found, {type, data}, end) {
  if (data === '[DONE]') end({})
  else if (type === 'error_event') found.error = data
  else found.text += data
}

function takeTyped(found, {data}, end) {
  const {type, content} = JSON.parse(data)
  if (type === 'token') found.text += content
  else if (type === 'agent_action') found.tools.push(JSON.parse(content))
  else if (type === 'tool_end') found.tools.at(-1).result = content
  else if (type === 'error') end({error: content, status: 'failed'})
  else if (type === 'complete') end({status: content})
}

async function langserve({url, input, timeout, threadId}) {
  const remote = new RemoteRunnable({url, options: {timeout}})
  const messages = input.messages?.map(text => new HumanMessage(text))
  const config = {version: 'v2', configurable: {thread_id: threadId}}
  const found = {text: '', reasoning: '', tools: [], status: 'completed'}
  try {
    for await (const event of remote.streamEvents(messages ? {messages} : input, config)) takeEvent(found, event)
  } catch (error) {
    found.status = 'failed'
    found.error = String(error)
  }
  return found
}

function takeEvent(found, {event, name, data}) {
  if (event === 'on_chat_model_stream') for (const block of blocksOf(data.chunk.content)) takeBlock(found, block)
  else if (event === 'on_tool_start') found.tools.push({name, args: data.input})
  else if (event === 'on_tool_end') found.tools.at(-1).result = data.output.content ?? data.output
}

function blocksOf(content) {
  return typeof content === 'string' ? [{type: 'text', text: content}] : content
}

function takeBlock(found, {type, text, summary}) {
  if (type === 'text') found.text += text
  else if (type === 'reasoning') found.reasoning += (summary ?? []).map(({text}) => text).join('')
}

for await (const line of createInterface({input: process.stdin})) {
  const {number, protocol, ...request} = JSON.parse(line)
  const tell = answer => process.stdout.write(`${JSON.stringify({number, ...answer})}\n`)
  readers[protocol](request, () => tell({lost: true})).then(
    read => tell({read}),
    error => tell({failed: String(error?.stack ?? error)})
  )
}
