/** Whether a word, in lower case, is one of those that are guessed first. */
export type IsCommon = (word: string) => boolean

let loaded: Promise<IsCommon> | undefined

/**
 * The list of common passwords: the 49,000 of @zxcvbn-ts/language-common, which come from published leaks, the most frequent
 * ones first. It is loaded with its first use, and kept.
 */
export function commonPasswords(): Promise<IsCommon> {
  loaded ??= load()
  return loaded
}

async function load(): Promise<IsCommon> {
  const { dictionary } = await import('@zxcvbn-ts/language-common')
  const words = new Set(dictionary['passwords-common'].map((word) => word.toLowerCase()))
  return (word) => words.has(word)
}
