import type { ProblemCode } from '../../problem.ts'
import { type Described, operation } from './operation.ts'

/** What any route of people may answer. */
const always: readonly ProblemCode[] = [
  'invalid_request',
  'host_not_allowed',
  'https_required',
  'unavailable',
  'internal',
]
const changes: readonly ProblemCode[] = ['csrf_refused', 'body_too_large', 'unsupported_media_type']
const persons: readonly ProblemCode[] = [
  'credential_missing',
  'credential_invalid',
  'person_required',
  'address_not_allowed',
  'origin_not_allowed',
]

type OfPeople = Omit<Described, 'by' | 'problems'> & { readonly problems?: readonly ProblemCode[] }

/** What anybody may send. */
export function open(described: OfPeople): object {
  const problems = [
    ...always,
    ...changes,
    'too_many_requests' as const,
    ...(described.problems ?? []),
  ]
  return operation({ ...described, by: 'anybody', problems })
}

/** What somebody who is signed in may look at. */
export function look(described: OfPeople): object {
  return operation({
    ...described,
    by: 'person',
    problems: [...always, ...persons, ...(described.problems ?? [])],
  })
}

/** What somebody who is signed in may change. */
export function change(described: OfPeople): object {
  return look({ ...described, problems: [...changes, ...(described.problems ?? [])] })
}
