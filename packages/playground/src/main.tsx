import {StrictMode} from 'react'
import {createRoot} from 'react-dom/client'
import {App} from './App.js'
import {loadMarkdown} from './chat/Prose.js'
import {loadConfig} from './config.js'
import {applyTheme, theme} from './preferences.js'
import {Failed} from './shell/Failed.js'
import './styles/base.css'
import './styles/controls.css'
import './styles/shell.css'
import './styles/chat.css'
import './styles/cards.css'
import './styles/composer.css'

applyTheme()
theme.subscribe(applyTheme)

async function begin(element: HTMLElement): Promise<void> {
  const root = createRoot(element)
  try {
    const config = await loadConfig()
    document.title = config.title
    root.render(
      <StrictMode>
        <App config={config} />
      </StrictMode>
    )
    await loadMarkdown()
  } catch (error) {
    root.render(<Failed error={error} onRetry={() => location.reload()} />)
  }
}

const element = document.getElementById('root')
if (element) await begin(element)
