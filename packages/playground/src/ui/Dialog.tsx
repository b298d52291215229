import {type MouseEvent, type ReactNode, useEffect, useId, useRef} from 'react'
import {IconButton} from './IconButton.js'

interface DialogProps {
  title: string
  /** `drawer` from the left, `sheet` over all of the page. Default: a window in its middle. */
  shape?: 'window' | 'drawer' | 'sheet'
  /** Whether the content has a heading and a way to close of its own. */
  bare?: boolean
  onClose(): void
  children: ReactNode
}

/** Modal while it is mounted. The browser keeps the focus in it, closes it on Escape, and gives the focus back. */
export function Dialog({title, shape = 'window', bare = false, onClose, children}: DialogProps) {
  const dialog = useRef<HTMLDialogElement>(null)
  const heading = useId()
  useEffect(() => {
    const element = dialog.current
    element?.showModal()
    return () => element?.close()
  }, [])
  const onBackdrop = (event: MouseEvent) => {
    if (event.target === dialog.current) onClose()
  }
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: Escape does what a click on the backdrop does.
    <dialog
      ref={dialog}
      className={`dialog dialog-${shape}`}
      {...(bare ? {'aria-label': title} : {'aria-labelledby': heading})}
      onCancel={event => {
        event.preventDefault()
        onClose()
      }}
      onClick={onBackdrop}
    >
      <div className="dialog-body">
        {!bare && (
          <header className="dialog-head">
            <h2 id={heading}>{title}</h2>
            <IconButton icon="close" label="Close" tip="none" onClick={onClose} />
          </header>
        )}
        {children}
      </div>
    </dialog>
  )
}
