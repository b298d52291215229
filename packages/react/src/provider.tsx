import {type Client, type ConnectOptions, connect} from '@unspool/client'
import {createContext, type ReactElement, type ReactNode, useContext, useMemo} from 'react'
import {useLatest, useLeaving} from './lifetime.js'

/**
 * Where a hook finds its agent: a `client`, or the `url` of one and what `connect` takes, or else that of the
 * `UnspoolProvider` around it.
 *
 * A client that is made for a `url` is closed when the component goes, and made anew when `url` or `transport` change.
 * `headers` may be a new function in each render: the last one is asked. The other options count when it is made.
 */
export type ClientSource = Partial<ConnectOptions> & {client?: Client}

const Around = createContext<Client | undefined>(undefined)

export type UnspoolProviderProps = ClientSource & {children?: ReactNode}

/** Gives the hooks below it their agent. */
export function UnspoolProvider({children, ...source}: UnspoolProviderProps): ReactElement {
  return <Around.Provider value={useClient(source)}>{children}</Around.Provider>
}

/**
 * The agent that a hook with this source would talk to.
 *
 * @throws {Error} There is neither `client` nor `url` nor a provider.
 */
export function useClient(source: ClientSource = {}): Client {
  const around = useContext(Around)
  const own = useOwnClient(source)
  const client = source.client ?? own ?? around
  if (!client) throw new Error('Give this hook a `client` or a `url`, or put an <UnspoolProvider> around it.')
  return client
}

function useOwnClient(source: ClientSource): Client | undefined {
  const latest = useLatest(source)
  const {url, transport} = source.client ? {} : source
  // biome-ignore lint/correctness/useExhaustiveDependencies: the rest is taken as it is when the client is made
  const client = useMemo(() => {
    if (url === undefined) return undefined
    const {client: _, headers, ...options} = source
    const asked = () => {
      const {headers: now} = latest.current
      return typeof now === 'function' ? now() : (now ?? {})
    }
    return connect({...options, url, ...(headers && {headers: asked})})
  }, [url, transport, latest])
  useLeaving(client, made => made.close())
  return client
}
