/** What an interrupt asks, read from its value. Whoever wrote the agent chose its form; these are the usual ones. */

export interface Option {
  readonly label: string
  /** What is answered. */
  readonly value: unknown
}

/** A call that a person is to allow. */
export interface Action {
  readonly name: string
  readonly args: unknown
  readonly description?: string
  readonly decisions: readonly Decision[]
}

export type Decision = 'approve' | 'edit' | 'reject'

export type Question =
  | {readonly kind: 'confirm' | 'open'; readonly text: string; readonly detail?: unknown}
  | {readonly kind: 'choice'; readonly text: string; readonly detail?: unknown; readonly options: readonly Option[]}
  /** LangChain's human-in-the-loop middleware; answered by `{decisions: […]}`, one for each action. */
  | {readonly kind: 'review'; readonly text: string; readonly actions: readonly Action[]}

export function questionOf(value: unknown): Question {
  if (typeof value === 'string') return {kind: CONFIRM.test(value) ? 'confirm' : 'open', text: value}
  if (typeof value === 'boolean') return {kind: 'confirm', text: 'The agent asks for your approval.'}
  if (!isObject(value)) return {kind: 'open', text: 'The agent waits for you.', ...(value != null && {detail: value})}
  const actions = actionsOf(value)
  if (actions.length > 0) return {kind: 'review', text: 'The agent asks before it does this.', actions}

  const key = TEXTS.find(name => typeof value[name] === 'string')
  const text = key ? String(value[key]) : 'The agent waits for you.'
  const options = optionsOf(value)
  const shown = omit(value, [key ?? '', ...OPTIONS, ...KINDS])
  const detail = Object.keys(shown).length > 0 ? {detail: shown} : {}
  if (options.length > 0) return {kind: 'choice', text, options, ...detail}
  const confirm = KINDS.some(name => CONFIRM_KINDS.has(String(value[name]))) || CONFIRM.test(text)
  return {kind: confirm ? 'confirm' : 'open', text, ...detail}
}

function optionsOf(value: Record<string, unknown>): Option[] {
  const found = OPTIONS.map(name => value[name]).find(Array.isArray) as unknown[] | undefined
  return (found ?? []).map(one => {
    if (!isObject(one)) return {label: String(one), value: one}
    const chosen = one.value ?? one.id ?? one
    return {label: String(one.label ?? one.title ?? one.name ?? chosen), value: chosen}
  })
}

function actionsOf(value: Record<string, unknown>): Action[] {
  const {action_requests, review_configs} = value
  if (!Array.isArray(action_requests)) return []
  const allowed = new Map<unknown, unknown>()
  for (const config of Array.isArray(review_configs) ? review_configs : []) {
    if (isObject(config)) allowed.set(config.action_name, config.allowed_decisions)
  }
  return action_requests.filter(isObject).map(({name, action, args, arguments: given, description}) => {
    const called = String(name ?? action)
    const decisions = allowed.get(called)
    return {
      name: called,
      args: args ?? given ?? {},
      ...(typeof description === 'string' && {description}),
      decisions: Array.isArray(decisions) ? DECISIONS.filter(one => decisions.includes(one)) : DECISIONS
    }
  })
}

function omit(value: Record<string, unknown>, keys: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(Object.entries(value).filter(([key]) => !keys.includes(key)))
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

const DECISIONS: readonly Decision[] = ['approve', 'edit', 'reject']
const TEXTS = ['question', 'message', 'prompt', 'text', 'title', 'description']
const OPTIONS = ['options', 'choices', 'enum']
const KINDS = ['type', 'kind']
const CONFIRM_KINDS = new Set(['boolean', 'confirm', 'confirmation', 'approve', 'approval'])
/** A question that yes or no answers. */
const CONFIRM =
  /^\s*(approve|allow|confirm|proceed|continue|ok|okay|shall|should|may|can|do|does|is|are|will|would)\b.*\?\s*$/is
