/** What the server says of itself in `config.json`, next to the page. */

export interface AgentEntry {
  readonly name: string
  /** Absolute. */
  readonly url: string
}

export interface PlaygroundConfig {
  readonly title: string
  readonly agents: readonly AgentEntry[]
  /** The model in use. May be empty. */
  readonly model: string
  /** What people should know of it. May be empty. */
  readonly note: string
}

/** Rejects where the server has no such file, or one without an agent. */
export async function loadConfig(page: string = document.baseURI): Promise<PlaygroundConfig> {
  const response = await fetch(new URL('config.json', page), {cache: 'no-cache'})
  if (!response.ok) throw new Error(`The server answered ${response.status} to config.json.`)
  const {title, agents, model, note} = (await response.json()) as Partial<PlaygroundConfig>
  if (!agents?.length) throw new Error('The server offers no agent.')
  return {
    title: title || 'Unspool',
    agents: agents.map(({name, url}) => ({name, url: absolute(url, page)})),
    model: model ?? '',
    note: note ?? ''
  }
}

/** Without the slash at its end, so that `/stream` can follow. */
function absolute(url: string, page: string): string {
  return new URL(url, page).href.replace(/\/$/, '')
}
