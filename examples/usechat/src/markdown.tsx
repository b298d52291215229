import {memo} from 'react'
import ReactMarkdown, {type Components} from 'react-markdown'
import remarkGfm from 'remark-gfm'

const PLUGINS = [remarkGfm]

const COMPONENTS: Components = {
  a: ({href, children}) => (
    <a href={href} target="_blank" rel="noreferrer">
      {children}
    </a>
  ),
  // An image is fetched without a click, from wherever a model was told to: the address can carry secrets away.
  img: ({src, alt}) => (
    <a href={src} target="_blank" rel="noreferrer">
      {alt || src}
    </a>
  ),
  // The page has a heading of its own.
  h1: 'h2',
  h2: 'h3',
  h3: 'h4',
  h4: 'h5',
  h5: 'h6'
}

/** What a model wrote. HTML in it is shown as the text that it is, and links lead to web pages and mail only. */
export const Markdown = memo(function Markdown({text}: {text: string}) {
  return (
    <div className="markdown">
      <ReactMarkdown remarkPlugins={PLUGINS} components={COMPONENTS}>
        {text}
      </ReactMarkdown>
    </div>
  )
})
