const maxShared = 100_000
const shared = new Map<string, string>()

/**
 * The same text as the one string that all have who say it. Names, roles and permissions come again and again, in the
 * records of one organization and of all, and each row of a result has a copy of its own.
 */
export function sharedText(text: string): string {
  const known = shared.get(text)
  if (known !== undefined) return known
  // What was shared stays; only later ones are not shared with it.
  if (shared.size >= maxShared) shared.clear()
  shared.set(text, text)
  return text
}

const lists = new Map<string, readonly string[]>()

/** The same texts, in the same order, as the one list that all have who say them. */
export function sharedList(texts: readonly string[]): readonly string[] {
  const key = JSON.stringify(texts)
  const known = lists.get(key)
  if (known !== undefined) return known
  const list = texts.map(sharedText)
  if (lists.size >= maxShared) lists.clear()
  lists.set(key, list)
  return list
}
