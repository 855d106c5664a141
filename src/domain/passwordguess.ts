/** Digits and symbols that people write for letters. */
const letters: Readonly<Record<string, string>> = {
  '0': 'o',
  '1': 'i',
  '3': 'e',
  '4': 'a',
  '5': 's',
  '7': 't',
  '8': 'b',
  '@': 'a',
  $: 's',
  '!': 'i',
}
/** As they lie on keyboards, there and back. */
const rows = [
  'qwertyuiopasdfghjklzxcvbnm',
  'qwertzuiopasdfghjklyxcvbnm',
  'azertyuiop',
  '1234567890',
]
const rowsBothWays = rows.flatMap((row) => [
  row + row,
  Array.from(row + row)
    .toReversed()
    .join(''),
])
/** So many characters at an end of a word change little about it. */
const trifle = 4
/** Shorter words are in every list, and in every other password. */
const shortestWord = 4

/**
 * Whether a password is one of those that are guessed first, or becomes one when what people add to such a one is taken away:
 * digits for letters, a year, a run of keys, an exclamation mark, the same once more. Several words in a row are none.
 * @param text in lower case
 */
export function isGuessable(text: string, isCommon: (word: string) => boolean): boolean {
  if (isWord(text, isCommon) || isRun(text)) return true
  const unit = unitOf(text)
  if (unit !== text && (Array.from(unit).length <= trifle || isGuessable(unit, isCommon)))
    return true
  return (
    [/^([^\p{L}]*)(.*?)([^\p{L}]*)$/su, /^([^\p{L}]*)(.*)()$/su, /^()(.*?)([^\p{L}]*)$/su] as const
  ).some((shape) => {
    const [, before = '', core = '', after = ''] = shape.exec(text) ?? []
    return (
      core !== text &&
      (isWord(core, isCommon) || isWord(unitOf(core), isCommon)) &&
      [before, after].every((part) => isTrifle(part, isCommon))
    )
  })
}

function isWord(text: string, isCommon: (word: string) => boolean): boolean {
  if (text.length < shortestWord) return false
  return isCommon(text) || isCommon(text.replaceAll(/[^\p{L}]/gu, (each) => letters[each] ?? each))
}

/** A year with exclamation marks behind it is one, too. */
function isTrifle(text: string, isCommon: (word: string) => boolean): boolean {
  const parts = text.match(/\p{Nd}+|\P{Nd}+/gu) ?? []
  return (
    parts.length <= 3 &&
    parts.every(
      (part) => part.length <= trifle || isCommon(part) || isRun(part) || unitOf(part).length <= 2,
    )
  )
}

/** Whether each character follows from the one before: `abcdefg`, `9876`, `aaaa`, or neighbours on a keyboard. */
function isRun(text: string): boolean {
  if (text.length < 3) return false
  const points = Array.from(text, (each) => each.codePointAt(0) ?? 0)
  const steps = new Set(points.slice(1).map((point, at) => point - (points[at] ?? 0)))
  const [step = 2] = steps
  if (steps.size === 1 && Math.abs(step) <= 1) return true
  return rowsBothWays.some((row) => row.includes(text))
}

/** The shortest text of which this one is a repetition. */
function unitOf(text: string): string {
  // A text stands in its own double at the place where it repeats itself.
  const length = (text + text).indexOf(text, 1)
  return length > 0 ? text.slice(0, length) : text
}
