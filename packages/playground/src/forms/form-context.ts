import type {JsonSchema} from '@unspool/client'
import {createContext, useContext, useEffect} from 'react'

/** What all fields of one form share. */
export interface FormContext {
  /** Where references are looked up. */
  root: JsonSchema
  disabled: boolean
  /** What is wrong, by pointer. */
  messages: ReadonlyMap<string, string>
  /** Says that what is written in a field is no value at all; undefined: it is one. */
  refuse(pointer: string, message: string | undefined): void
  /** The ids of the elements of a field: `suffix` tells them apart. */
  id(pointer: string, suffix?: string): string
}

export const Form = createContext<FormContext | undefined>(undefined)

export function useForm(): FormContext {
  const form = useContext(Form)
  if (!form) throw new Error('A field stands in a form.')
  return form
}

/** Tells the form that a field holds no value while `message` is there, and takes it back when the field goes. */
export function useRefusal(pointer: string, message: string | undefined): void {
  const {refuse} = useForm()
  useEffect(() => {
    if (message === undefined) return
    refuse(pointer, message)
    return () => refuse(pointer, undefined)
  }, [refuse, pointer, message])
}
