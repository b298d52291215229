import {type ReactNode, useState} from 'react'
import {useForm} from './form-context.js'

/** What a control must carry to belong to its label, its hint and its error. */
export interface ControlProps {
  id: string
  disabled: boolean
  'aria-required'?: true
  'aria-invalid'?: true
  'aria-describedby'?: string
  onBlur(): void
}

interface LabelledProps {
  pointer: string
  label: string
  required: boolean
  hint?: string | undefined
  /** The label stands after the control: a check box. */
  after?: boolean
  children(control: ControlProps): ReactNode
}

/** A control with its label, hint and error. An error is shown once the control was left, not while one has yet to get there. */
export function Labelled({pointer, label, required, hint, after = false, children}: LabelledProps): ReactNode {
  const {id, disabled, messages} = useForm()
  const [left, setLeft] = useState(false)
  const message = left ? messages.get(pointer) : undefined
  const described = [hint && id(pointer, 'hint'), message && id(pointer, 'error')].filter(Boolean).join(' ')
  const control = children({
    id: id(pointer),
    disabled,
    ...(required && {'aria-required': true}),
    ...(message && {'aria-invalid': true}),
    ...(described && {'aria-describedby': described}),
    onBlur: () => setLeft(true)
  })
  return (
    <div className={after ? 'sf-field sf-check' : 'sf-field'}>
      {after && control}
      <label htmlFor={id(pointer)}>
        {label}
        {required && (
          <span className="sf-required" aria-hidden="true">
            *
          </span>
        )}
      </label>
      {hint && (
        <p className="sf-hint" id={id(pointer, 'hint')}>
          {hint}
        </p>
      )}
      {!after && control}
      {message && (
        <p className="sf-error" id={id(pointer, 'error')}>
          {message}
        </p>
      )}
    </div>
  )
}
