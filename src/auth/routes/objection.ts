import type { z } from 'zod'

type Issue = z.ZodError['issues'][number]

/** As many as anybody reads. */
const most = 8
/** Names that could be meant for one of ours; what else stands there is not repeated. */
const name = /^[A-Za-z][A-Za-z0-9_-]{0,31}$/

/**
 * What is wrong with what was sent, in sentences for people: which field, and what it must be. Never what it is.
 * @param value what the schema did not take
 */
export function objectionsOf(
  { issues }: Pick<z.ZodError, 'issues'>,
  value: unknown,
): readonly string[] {
  return [...new Set(issues.flatMap((issue) => objectionsTo(issue, value)))].slice(0, most)
}

function objectionsTo(issue: Issue, value: unknown): readonly string[] {
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) =>
      name.test(key)
        ? `${fieldAt([...issue.path, key])} is not known here.`
        : 'There is a field that is not known here.',
    )
  }
  const found = valueAt(value, issue.path)
  if (issue.path.length === 0) {
    return [found === undefined ? 'The body is missing.' : 'The body must be an object.']
  }
  const field = fieldAt(issue.path)
  return [found === undefined ? `${field} is missing.` : `${field} ${demandOf(issue)}.`]
}

function demandOf(issue: Issue): string {
  const { code, message } = issue
  if (code === 'invalid_type') {
    return `must be ${/^[aeio]/.test(issue.expected) ? 'an' : 'a'} ${issue.expected}`
  }
  if (code === 'too_small') {
    return issue.minimum === 1 ? 'must not be empty' : `must be at least ${issue.minimum} long`
  }
  if (code === 'too_big') return `must be at most ${issue.maximum} long`
  if (code === 'invalid_value') return `must be one of: ${issue.values.map(String).join(', ')}`
  // What a schema of ours demands in words; the words of the library tell nobody what to do.
  return message.startsWith('must ') ? message : 'is not of the form that it must have'
}

/** `"roles[0].role"` */
function fieldAt(path: readonly PropertyKey[]): string {
  const steps = path.map((step) => (typeof step === 'number' ? `[${step}]` : `.${String(step)}`))
  return `"${steps.join('').slice(1)}"`
}

function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (part, step) =>
      typeof part === 'object' && part !== null && Object.hasOwn(part, step)
        ? (part as Record<PropertyKey, unknown>)[step]
        : undefined,
    value,
  )
}
