import type {ButtonHTMLAttributes, Ref} from 'react'
import {Icon, type IconName} from './Icon.js'

interface IconButtonProps extends Omit<ButtonHTMLAttributes<HTMLButtonElement>, 'children'> {
  icon: IconName
  /** What it does. Shown as a tip, too. */
  label: string
  /** Where the tip goes. Default `below`. */
  tip?: 'below' | 'above' | 'none'
  /** Whether what it opens is open. */
  'data-on'?: boolean
  ref?: Ref<HTMLButtonElement>
}

export function IconButton({icon, label, tip = 'below', className = '', ...rest}: IconButtonProps) {
  return (
    <button
      type="button"
      {...rest}
      className={`icon-button ${className}`}
      aria-label={label}
      data-tip={label}
      data-tip-at={tip}
    >
      <Icon name={icon} />
    </button>
  )
}
