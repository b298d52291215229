import {useFollowScroll} from '@unspool/react'
import {createRoot} from 'react-dom/client'
import {probe} from './probe.js'
import {markdownOf} from './text.js'
import {scriptedFetch} from './transport.js'
import {VARIANTS, type VariantProps} from './variants.js'
import './page.css'

const query = new URLSearchParams(location.search)
const Shown = VARIANTS[query.get('variant') ?? 'ours'] ?? VARIANTS.ours
const history = Array.from({length: Number(query.get('history') ?? 199)}, (_, index) => {
  const text = markdownOf(300 + ((index * 137) % 900))
  return `Message ${index}\n\n${text}`
})

let characters = 0
let ask: (() => Promise<void>) | undefined
const send: typeof fetch = (...request) =>
  scriptedFetch({characters, tokensPerSecond: Number(query.get('rate') ?? 2000)})(...request)
const properties: VariantProps = {
  history,
  send,
  ready: given => {
    ask = given
  }
}

function App() {
  const {ref} = useFollowScroll<HTMLDivElement>()
  return (
    <div className="chat" ref={ref}>
      <div>{Shown && <Shown {...properties} />}</div>
    </div>
  )
}

const root = document.getElementById('root')
if (root) createRoot(root).render(<App />)

/** Streams one message of `length` characters, and answers with what was seen meanwhile. */
async function run(length: number) {
  characters = length
  const began = performance.now()
  const commits = probe.commits
  await ask?.()
  const ended = performance.now()
  const seen = {
    began,
    ended,
    commits: probe.commits - commits,
    frames: probe.frames.filter(time => time >= began && time <= ended)
  }
  await new Promise(resolve => setTimeout(resolve, 1000))
  return {
    ...seen,
    longTasks: probe.longTasks.filter(({start}) => start >= began),
    characters: document.querySelector('article:last-of-type')?.textContent?.length ?? 0
  }
}

Object.assign(globalThis, {run})
