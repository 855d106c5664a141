import { describe, expect, test } from 'vitest'
import { objectionsTo, passwordBytes, passwordRulesInWords, wordsAround } from './password.ts'

const common = new Set(['password', 'qwerty', 'dragon', 'iloveyou', 'correct', 'horse', 'sunshine'])
const nist = { minLength: 15, complexity: 'None' } as const
/** The rules of Mini-XDR. */
const strict = { minLength: 12, complexity: 'Complex' } as const
const words = wordsAround({
  email: 'ada.lovelace@engines.example',
  organization: 'acme',
  displayName: 'Acme Engines Ltd.',
  domains: ['engines.example'],
  service: ['cardea', 'id.example.com'],
})
const judge = (password: string, rules: typeof nist | typeof strict = nist) =>
  objectionsTo(password, rules, { isCommon: (word) => common.has(word), words })
const least = ['Use at least 15 characters.']
const guessed = [
  'It is one of the passwords that are guessed first, or such a one with something added.',
]
const around = [
  'It is made of your address, of the name of your organization or of this service, with little added.',
]

describe('by NIST SP 800-63B-4', () => {
  test.each([
    ['fifteen characters of one kind', 'vxkqzjwpmbtrhfn', []],
    ['several common words in a row', 'correct horse dragon sunshine', []],
    ['spaces and no digit', 'a quiet river at dawn', []],
    ['fifteen emojis', '🦉🌋🚲🧭🎻🪁🧵🥁🪴🧲🛶🪐🧊🕯🐙', []],
    [
      'sixty-four characters',
      'The quick brown fox jumps over a lazy dog at 9 in the evening!!!',
      [],
    ],
    ['Japanese', '七つの紫のランタンが漂っている夜に', []],
    ['fourteen characters', 'vxkqzjwpmbtrhf', least],
    ['fourteen characters that are twenty-eight bytes', 'ëëüüöößßééèèàà', least],
    ['nothing', '', least],
    ['a common one, in capitals', 'PASSWORD', [...least, ...guessed]],
    ['a common one with digits for letters', 'p@ssw0rd', [...least, ...guessed]],
    ['a common one with a run of digits', 'password1234567', guessed],
    ['a common one with years and exclamation marks', '2024password2024!!!', guessed],
    ['a common one with a long number of no pattern', 'dragon 839 4017 265', []],
    ['a common one twice', 'iloveyouiloveyou', guessed],
    ['a common one in full width', 'ｐａｓｓｗｏｒｄ１２３４５６７', guessed],
    ['the alphabet', 'abcdefghijklmnopq', guessed],
    ['one character only', 'aaaaaaaaaaaaaaaaaaa', guessed],
    ['two in turn', 'abababababababababab', guessed],
    ['a row of keys', 'qwertyuiopasdfghjkl', guessed],
    ['the name of the organization and a year', 'AcmeEngines2024', around],
    ['the address', 'ada.lovelace@engines.example', around],
    ['the service', 'cardea-lovelace!', around],
    ['the organization and a common one', 'acme-engines-password', around],
    ['the organization and something of their own', 'acme tuba glacier', []],
  ])('%s', (_name, password, expected) => {
    expect(judge(password)).toEqual(expected)
  })

  test('nothing but length, the list and the surroundings counts: any kind of character will do', () => {
    const kinds = ['vxkqzjwpmbtrhfn', 'VXKQZJWPMBTRHFN', '839105726483917', '!?%&;:#=+~^<>()*']
    expect(kinds.map((password) => judge(password))).toEqual([[], [], [], []])
  })

  test('what is longer than 1024 bytes, and what is no text, is not accepted', () => {
    expect(judge('x'.repeat(1025))).toEqual(['Use at most 1024 bytes.'])
    expect(judge(`${'tuba glacier '.repeat(3)}\ud800`)).toHaveLength(1)
  })
})

describe('with a complexity that an organization asks for', () => {
  const sentence =
    'Use at least one each of lower-case letters, upper-case letters, digits and other characters.'
  test.each([
    ['all four kinds', 'Tuba7-glacier', []],
    ['other alphabets', 'Ёлка7-туба-лёд', []],
    ['no upper case', 'tuba7-glacier', [sentence]],
    ['no lower case', 'TUBA7-GLACIER', [sentence]],
    ['no digit', 'Tuba-glacier!', [sentence]],
    ['nothing else', 'Tuba7glacier', [sentence]],
    ['eleven characters', 'Tuba7-glaci', ['Use at least 12 characters.']],
  ])('%s', (_name, password, expected) => {
    expect(judge(password, strict)).toEqual(expected)
  })

  test('the rules say so', () => {
    expect(passwordRulesInWords(strict)).toContain(sentence)
    expect(passwordRulesInWords(nist)).not.toContain(sentence)
    expect(passwordRulesInWords(nist)[0]).toBe('Use at least 15 characters.')
  })
})

describe('the bytes that are hashed', () => {
  test('are the same for a text however a keyboard composes it', () => {
    expect(passwordBytes('Zoe\u0308 \uff11\ufb01')).toEqual(Buffer.from('Zoë 1fi'))
  })
  test.each([
    ['spaces at the ends', ' a '],
    ['a NUL', 'a\0b'],
    ['upper and lower case', 'aBc'],
  ])('keep %s', (_name, text) => {
    expect(passwordBytes(text)).toEqual(Buffer.from(text))
  })
  test('are none for more than 1024, or for half a character', () => {
    expect(passwordBytes('é'.repeat(513))).toBeUndefined()
    expect(passwordBytes('\udc00')).toBeUndefined()
    expect(passwordBytes('é'.repeat(512))).toHaveLength(1024)
  })
})
