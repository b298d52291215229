import {Dialog} from '../ui/Dialog.js'

const SHORTCUTS: readonly [keys: readonly string[], does: string][] = [
  [['Enter'], 'Send'],
  [['Shift', 'Enter'], 'New line'],
  [['↑'], 'Edit the last message, where nothing is written'],
  [['Esc'], 'Stop the answer, or close what is open'],
  [['Ctrl', 'K'], 'Go to the message'],
  [['/'], 'Go to the message'],
  [['n'], 'New chat'],
  [['i'], 'Open or close the inspector'],
  [['b'], 'Open or close the sidebar'],
  [['?'], 'This list']
]

export function ShortcutsDialog({onClose}: {onClose(): void}) {
  return (
    <Dialog title="Keyboard shortcuts" onClose={onClose}>
      <dl className="shortcuts">
        {SHORTCUTS.map(([keys, does]) => (
          <div key={keys.join()}>
            <dt>
              {keys.map(key => (
                <kbd key={key}>{key}</kbd>
              ))}
            </dt>
            <dd>{does}</dd>
          </div>
        ))}
      </dl>
      <p className="hint">Single keys work outside of text fields. The settings switch them off.</p>
    </Dialog>
  )
}
