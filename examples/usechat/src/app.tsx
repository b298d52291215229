import {newId} from '@unspool/client'
import {useCallback, useEffect, useState, useSyncExternalStore} from 'react'
import {Chat} from './chat.js'
import {Failure} from './failure.js'
import {type History, historyOf} from './history.js'

/** The page. The chat's id is in its address: a reload finds the chat again, and a link leads to it. */
export function App() {
  const id = useSyncExternalStore(subscribe, () => location.hash.slice(1))
  const newChat = () => {
    location.hash = newId()
  }
  return (
    <div className="app">
      <header>
        <h1>useChat with a Python agent</h1>
        <button type="button" onClick={newChat}>
          New chat
        </button>
      </header>
      <Conversation key={id} id={id} />
    </div>
  )
}

function subscribe(listener: () => void): () => void {
  addEventListener('hashchange', listener)
  return () => removeEventListener('hashchange', listener)
}

type Loaded = {round: number; history?: History; error?: unknown}

/** A chat, once it is known what was said before. */
function Conversation({id}: {id: string}) {
  const [round, setRound] = useState(0)
  const [loaded, setLoaded] = useState<Loaded>()
  const reload = useCallback(() => setRound(before => before + 1), [])

  useEffect(() => {
    let wanted = true
    const show = (found: Omit<Loaded, 'round'>) => wanted && setLoaded({...found, round})
    historyOf(id).then(
      history => show({history}),
      error => show({error})
    )
    return () => {
      wanted = false
    }
  }, [id, round])

  if (loaded?.history) return <Chat key={loaded.round} id={id} history={loaded.history} onReload={reload} />
  return (
    <main>
      <div className="messages">
        {loaded ? <Failure error={loaded.error} onRetry={reload} /> : <p className="hint">Loading the chat…</p>}
      </div>
    </main>
  )
}
