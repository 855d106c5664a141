import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { place } from './place.ts'

/** Reads a JSON file of `.cardea/`; what is missing or cut off reads as `otherwise`. */
export function readJson<T>(file: string, otherwise: T): T {
  try {
    return JSON.parse(readFileSync(file, 'utf8'))
  } catch {
    return otherwise
  }
}

/** Replaces a file for its owner's eyes only. A reader sees the old content or the new, never half of it. */
export function writePrivate(file: string, content: string): void {
  mkdirSync(place.home, { recursive: true })
  writeFileSync(`${file}.new`, content, { mode: 0o600 })
  renameSync(`${file}.new`, file)
}

export interface Passwords {
  readonly migrate: string
  readonly operator: string
  readonly auth: string
}

/** The database roles' passwords, made at random once for this installation. */
export function keepPasswords(): Passwords {
  const kept = readJson<Passwords | undefined>(place.passwords, undefined)
  if (kept) return kept
  const password = (): string => randomBytes(24).toString('hex')
  const made = { migrate: password(), operator: password(), auth: password() }
  writePrivate(place.passwords, JSON.stringify(made))
  return made
}

/** The key file of the local KMS, made at random once. Without it no Secret of this installation opens again. */
export function keepKmsKey(): void {
  if (existsSync(place.kmsKey)) return
  writePrivate(place.kmsKey, `${randomBytes(32).toString('base64')}\n`)
}
