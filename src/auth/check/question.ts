import { labelPattern } from '../../domain/label.ts'
import { isScopeToken } from '../scope.ts'

/** What a caller of `/check` asks beyond "who is this?". */
export interface Question {
  /** All of them are needed. */
  readonly scopes: readonly string[]
  readonly permission: string | undefined
  /** A project's name. */
  readonly project: string | undefined
}

export const noQuestion: Question = { scopes: [], permission: undefined, project: undefined }

const maxLength = 4096
const maxScopes = 100
const permissionShape = /^[a-z][a-z0-9-]*(?:\/[a-z][a-z0-9-]*)*:[a-z][a-z-]*$/

/**
 * Reads the query of `/check`. A parameter that is unknown is refused like one that is wrong: a caller who misspells
 * `scope` must not be told that everything is well.
 * @param query what comes after the question mark
 * @returns undefined when it is not a question
 */
function readQuestion(query: string): Question | undefined {
  if (query.length > maxLength) return undefined
  const asked = new Map<string, string>()
  for (const [name, value] of new URLSearchParams(query)) {
    if (asked.has(name)) return undefined
    asked.set(name, value)
  }
  const { scope, permission, project, ...unknown } = Object.fromEntries(asked)
  if (Object.keys(unknown).length > 0) return undefined
  const scopes = scope?.split(' ') ?? []
  if (scopes.length > maxScopes || !scopes.every(isScopeToken)) return undefined
  if (permission !== undefined && !permissionShape.test(permission)) return undefined
  if (project !== undefined && !labelPattern.test(project)) return undefined
  return { scopes, permission, project }
}

/** The questions that were asked last: callers ask the same ones all the time. */
export class Questions {
  readonly #remembered = new Map<string, Question | undefined>()
  readonly #max = 1000

  read(query: string): Question | undefined {
    const remembered = this.#remembered.get(query)
    if (remembered !== undefined) return remembered
    const question = readQuestion(query)
    if (this.#remembered.size >= this.#max) this.#remembered.clear()
    if (question !== undefined) this.#remembered.set(query, question)
    return question
  }
}
