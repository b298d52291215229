import {newId} from '@unspool/client'
import {useCallback, useEffect, useState, useSyncExternalStore} from 'react'
import {type Message, transport} from './agent.js'
import {Chat} from './chat.js'
import {Failure} from './failure.js'

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

type Loaded = {round: number; messages?: Message[]; error?: unknown}

/** A chat, once it is known what was said before. */
function Conversation({id}: {id: string}) {
  const [round, setRound] = useState(0)
  const [loaded, setLoaded] = useState<Loaded>()
  const reload = useCallback(() => setRound(before => before + 1), [])

  useEffect(() => {
    let wanted = true
    const show = (found: Omit<Loaded, 'round'>) => wanted && setLoaded({...found, round})
    transport.loadMessages(id).then(
      messages => show({messages}),
      error => show({error})
    )
    return () => {
      wanted = false
    }
  }, [id, round])

  if (loaded?.messages) return <Chat key={loaded.round} id={id} past={loaded.messages} onReload={reload} />
  return (
    <main>
      <div className="messages">
        {loaded ? <Failure error={loaded.error} onRetry={reload} /> : <p className="hint">Loading the chat…</p>}
      </div>
    </main>
  )
}
