import { isGuessable } from './passwordguess.ts'

/** UTF-8 bytes as they were received: whatever is longer is refused before any work is done for it. */
const longestPassword = 1024

/**
 * The bytes that are hashed: the text in Normalization Form KC, as NIST SP 800-63B-4, section 3.1.1.2, has it, because the
 * same characters come composed from one keyboard and decomposed, or full-width, from another. Nothing else is changed,
 * and nothing is cut off.
 * @returns undefined when it is longer than a password may be, or has half a surrogate pair, which UTF-8 does not know
 */
export function passwordBytes(text: string): Buffer | undefined {
  if (!text.isWellFormed() || Buffer.byteLength(text) > longestPassword) return undefined
  return Buffer.from(text.normalize('NFKC'))
}

export interface PasswordRules {
  /** Code points. */
  readonly minLength: number
  readonly complexity: 'None' | 'Complex'
}

/** What a password is compared with. */
export interface PasswordSurroundings {
  /** Whether a word, in lower case, is one of those that are guessed first. */
  readonly isCommon: (word: string) => boolean
  /** Words that stand to reason for this person, in lower case. */
  readonly words: readonly string[]
}

const complex =
  'Use at least one each of lower-case letters, upper-case letters, digits and other characters.'
const sentences = {
  tooLong: `Use at most ${longestPassword} bytes.`,
  unreadable: 'Use characters that every keyboard writes: there is a broken one in it.',
  complex,
  common: 'It is one of the passwords that are guessed first, or such a one with something added.',
  surroundings:
    'It is made of your address, of the name of your organization or of this service, with little added.',
} as const

const classes = [/\p{Ll}/u, /\p{Lu}/u, /\p{Nd}/u, /[^\p{L}\p{Nd}]/u] as const
/** Characters that must be left when the words of the surroundings are taken out. */
const ownCharacters = 8

/** Why a password is not accepted: sentences for people; none when it is. */
export function objectionsTo(
  password: string,
  rules: PasswordRules,
  { isCommon, words }: PasswordSurroundings,
): readonly string[] {
  if (!password.isWellFormed()) return [sentences.unreadable]
  if (Buffer.byteLength(password) > longestPassword) return [sentences.tooLong]
  const text = password.normalize('NFKC')
  const lower = text.toLowerCase()
  const objections: string[] = []
  if (Array.from(text).length < rules.minLength) objections.push(least(rules))
  if (rules.complexity === 'Complex' && !classes.every((each) => each.test(text))) {
    objections.push(sentences.complex)
  }
  if (isGuessable(lower, isCommon)) objections.push(sentences.common)
  else if (isMadeOf(words, lower, isCommon)) objections.push(sentences.surroundings)
  return objections
}

/** The rules in words, for whoever is about to choose a password. */
export function passwordRulesInWords(rules: PasswordRules): readonly string[] {
  return [
    least(rules),
    ...(rules.complexity === 'Complex' ? [complex] : []),
    'Any characters will do, spaces too: a few words that do not belong together are easy to remember.',
    'It must not be a common password, nor be made of your address or of the name of your organization.',
  ]
}

/** What whoever guesses at this person would try first. */
export function wordsAround(person: {
  readonly email: string
  readonly organization: string
  readonly displayName: string
  readonly domains: readonly string[]
  readonly service: readonly string[]
}): readonly string[] {
  const texts = [
    person.email,
    person.organization,
    person.displayName,
    ...person.domains,
    ...person.service,
  ].map((text) => text.normalize('NFKC').toLowerCase())
  const parts = texts.flatMap((text) => text.split(/[^\p{L}\p{Nd}]+/u))
  const joined = texts.map((text) => text.replaceAll(/[^\p{L}\p{Nd}]+/gu, ''))
  const words = new Set([...parts, ...joined].filter((word) => word.length >= 4))
  // The longest first: what is left of a long word is no word of its own.
  return [...words].toSorted((a, b) => b.length - a.length)
}

function isMadeOf(
  words: readonly string[],
  text: string,
  isCommon: (word: string) => boolean,
): boolean {
  const left = words.reduce((rest, word) => rest.replaceAll(word, ''), text)
  if (left === text) return false
  return Array.from(left).length < ownCharacters || isGuessable(left, isCommon)
}

function least({ minLength }: PasswordRules): string {
  return `Use at least ${minLength} characters.`
}
