import { hashRawSync, hashSync, type Options, verifySync } from '@node-rs/argon2'
import { objectionsTo, type PasswordRules } from '../../domain/password.ts'
import type { HashParameters } from '../../domain/passwordhash.ts'
import { commonPasswords } from './commonpasswords.ts'

/** What the process that hashes is asked to do. */
export type HashingTask =
  | { readonly do: 'hash'; readonly bytes: Uint8Array; readonly parameters: HashParameters }
  | { readonly do: 'verify'; readonly bytes: Uint8Array; readonly hash: string }
  | {
      readonly do: 'derive'
      readonly bytes: Uint8Array
      readonly salt: Uint8Array
      readonly parameters: HashParameters
    }
  | {
      readonly do: 'judge'
      readonly text: string
      readonly rules: PasswordRules
      readonly words: readonly string[]
    }

/** What it answers: the one that was asked for. */
export interface HashingAnswer {
  readonly hash?: string
  readonly matches?: boolean
  readonly derived?: Uint8Array
  readonly objections?: readonly string[]
}

/**
 * Does a task. A process that does nothing else need not do two at a time. Passwords are judged here as well, so that the list
 * of common ones is in the memory of this process alone.
 * @throws what argon2 throws where there is no memory for it
 */
export async function hashing(task: HashingTask): Promise<HashingAnswer> {
  switch (task.do) {
    case 'hash':
      return { hash: hashSync(task.bytes, optionsOf(task.parameters)) }
    case 'verify':
      return { matches: matches(task.hash, task.bytes) }
    case 'derive': {
      const options = { ...optionsOf(task.parameters), salt: task.salt }
      return { derived: hashRawSync(task.bytes, options) }
    }
    case 'judge': {
      const surroundings = { isCommon: await commonPasswords(), words: task.words }
      return { objections: objectionsTo(task.text, task.rules, surroundings) }
    }
    default:
      return {}
  }
}

/** A hash that argon2 cannot read matches nothing: a row that somebody wrote by hand must not end the process. */
function matches(hash: string, bytes: Uint8Array): boolean {
  try {
    return verifySync(hash, bytes)
  } catch {
    return false
  }
}

/** argon2id, version 19, is what the library takes for the default. */
function optionsOf({ memory, iterations, parallelism }: HashParameters): Options {
  return { memoryCost: memory, timeCost: iterations, parallelism, outputLen: 32 }
}
