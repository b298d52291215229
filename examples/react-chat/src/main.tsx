import {UnspoolProvider} from '@unspool/react'
import {StrictMode} from 'react'
import {createRoot} from 'react-dom/client'
import {App} from './app.js'
import './styles.css'

const container = document.getElementById('app')
if (!container) throw new Error('the page has no #app')

createRoot(container).render(
  <StrictMode>
    <UnspoolProvider url="/agent">
      <App />
    </UnspoolProvider>
  </StrictMode>
)
