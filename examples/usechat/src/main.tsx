import {newId} from '@unspool/client'
import {StrictMode} from 'react'
import {createRoot} from 'react-dom/client'
import {App} from './app.js'
import './styles.css'

const container = document.getElementById('app')
if (!container) throw new Error('the page has no #app')

if (!location.hash) location.replace(`#${newId()}`)
createRoot(container).render(
  <StrictMode>
    <App />
  </StrictMode>
)
